# The journal in Azure Cosmos DB: serverless, so that an idle one costs its storage only.

locals {
  cosmos = var.journal.store == "cosmos" ? 1 : 0
}

resource "azurerm_cosmosdb_account" "journal" {
  count = local.cosmos

  name                = coalesce(var.names.cosmos_account, "${var.name}-${random_string.suffix.result}")
  resource_group_name = var.resource_group_name
  location            = var.location
  offer_type          = "Standard"
  kind                = "GlobalDocumentDB"
  tags                = var.tags

  local_authentication_enabled          = false
  access_key_metadata_writes_enabled    = false
  minimal_tls_version                   = "Tls12"
  public_network_access_enabled         = var.private_endpoints == null # which networks is said below
  is_virtual_network_filter_enabled     = var.network != null
  ip_range_filter                       = local.administrator_addresses
  network_acl_bypass_for_azure_services = false

  dynamic "virtual_network_rule" {
    for_each = var.network == null ? [] : [var.network.subnet_id]
    content {
      id = virtual_network_rule.value
    }
  }

  capabilities {
    name = "EnableServerless"
  }
  consistency_policy {
    consistency_level = "Session"
  }
  geo_location {
    location          = var.location
    failover_priority = 0
  }
}

resource "azurerm_cosmosdb_sql_database" "journal" {
  count = local.cosmos

  name                = var.journal.cosmos_database
  resource_group_name = var.resource_group_name
  account_name        = azurerm_cosmosdb_account.journal[0].name
}

resource "azurerm_cosmosdb_sql_container" "journal" {
  count = local.cosmos

  name                = var.journal.cosmos_container
  resource_group_name = var.resource_group_name
  account_name        = azurerm_cosmosdb_account.journal[0].name
  database_name       = azurerm_cosmosdb_sql_database.journal[0].name
  partition_key_paths = ["/id"]
  default_ttl         = var.journal.days * 24 * 60 * 60
}

# Cosmos DB's own role for data, "Built-in Data Contributor", on the one container.
resource "azurerm_cosmosdb_sql_role_assignment" "journal" {
  count = local.cosmos

  resource_group_name = var.resource_group_name
  account_name        = azurerm_cosmosdb_account.journal[0].name
  role_definition_id  = "${azurerm_cosmosdb_account.journal[0].id}/sqlRoleDefinitions/00000000-0000-0000-0000-000000000002"
  principal_id        = azurerm_user_assigned_identity.this.principal_id
  scope               = "${azurerm_cosmosdb_account.journal[0].id}/dbs/${var.journal.cosmos_database}/colls/${var.journal.cosmos_container}"

  depends_on = [azurerm_cosmosdb_sql_container.journal]
}
