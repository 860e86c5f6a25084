# One account for the package, the Functions host, the retry queue and the journal. No key opens it: identities only.

locals {
  # An account of your own is told by its id.
  storage_of_yours = var.existing.storage_account_id == null ? null : {
    group = split("/", var.existing.storage_account_id)[4]
    name  = split("/", var.existing.storage_account_id)[8]
  }

  storage = {
    for attribute, values in {
      id    = [azurerm_storage_account.this[*].id, data.azurerm_storage_account.yours[*].id]
      name  = [azurerm_storage_account.this[*].name, data.azurerm_storage_account.yours[*].name]
      blob  = [azurerm_storage_account.this[*].primary_blob_endpoint, data.azurerm_storage_account.yours[*].primary_blob_endpoint]
      queue = [azurerm_storage_account.this[*].primary_queue_endpoint, data.azurerm_storage_account.yours[*].primary_queue_endpoint]
      table = [azurerm_storage_account.this[*].primary_table_endpoint, data.azurerm_storage_account.yours[*].primary_table_endpoint]
    } : attribute => one(flatten(values))
  }
}

data "azurerm_storage_account" "yours" {
  count = var.existing.storage_account_id == null ? 0 : 1

  name                = local.storage_of_yours.name
  resource_group_name = local.storage_of_yours.group
}

resource "azurerm_storage_account" "this" {
  # One, if there is none of yours; said so that checkov cannot take it for none.
  count = length([for id in [var.existing.storage_account_id] : "made" if id == null])

  name                     = local.storage_account_name
  resource_group_name      = var.resource_group_name
  location                 = var.location
  account_tier             = "Standard"
  account_replication_type = var.storage_replication
  tags                     = var.tags

  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  local_user_enabled                = false
  allow_nested_items_to_be_public   = false
  cross_tenant_replication_enabled  = false
  https_traffic_only_enabled        = true
  infrastructure_encryption_enabled = true
  min_tls_version                   = "TLS1_2"
  public_network_access_enabled     = var.private_endpoints == null # which networks is said below

  blob_properties {
    delete_retention_policy {
      days = 7
    }
    container_delete_retention_policy {
      days = 7
    }
  }

  network_rules {
    bypass                     = ["AzureServices"] # Event Grid writes dead letters
    default_action             = var.network == null ? "Allow" : "Deny"
    virtual_network_subnet_ids = var.network == null ? [] : [var.network.subnet_id]
    ip_rules                   = local.administrator_addresses
  }
}

resource "azurerm_storage_container" "package" {
  name                  = "package"
  storage_account_id    = local.storage.id
  container_access_type = "private"
}

resource "azurerm_storage_container" "dead_letters" {
  count = length(local.event_grid) > 0 ? 1 : 0

  name                  = "dead-letters"
  storage_account_id    = local.storage.id
  container_access_type = "private"
}

resource "azurerm_storage_queue" "this" {
  for_each = toset(["refreshes", "refreshes-parked", "refreshes-poison", "searches"])

  name               = each.value
  storage_account_id = local.storage.id
}

locals {
  # The last known receivers (of each the hash of its URL's token), counts of what was refused, and the journal.
  tables = concat(["receivers", "refusals", "formerurls"], var.journal.store == "table" ? ["deliveries", "hours"] : [])
}

# azurerm_storage_table insists on the account's key, which is off. A template creates tables without one.
resource "azurerm_resource_group_template_deployment" "tables" {
  name                = "${var.name}-tables"
  resource_group_name = var.resource_group_name
  deployment_mode     = "Incremental"
  tags                = var.tags

  template_content = jsonencode({
    "$schema"      = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    contentVersion = "1.0.0.0"
    resources = [for table in local.tables : {
      type       = "Microsoft.Storage/storageAccounts/tableServices/tables"
      apiVersion = "2023-05-01"
      name       = "${local.storage.name}/default/${table}"
    }]
  })
}
