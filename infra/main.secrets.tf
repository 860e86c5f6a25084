# The secret of a receiver makes its URL, so it is a credential. Each stands in Key Vault; the app gets those of the
# receivers in its settings by reference, and reads those of the receivers in the cluster from the cluster.
#
# What is in the state all the same: the generated secrets and the pages' key (as random_password), and the URLs of webhooks and Event Grid
# subscriptions, which Azure must be told. A secret of your own is in no state, but like every variable in a saved plan.
# Keep the state where you would keep the secrets.

data "azurerm_client_config" "current" {}

locals {
  # One entry for each secret to generate: "<receiver>-<generation>". During a rotation there are two of a receiver.
  generated_secrets = toset(flatten([
    for key, receiver in var.receivers : [
      for generation in(receiver.accept_previous ? [receiver.generation - 1, receiver.generation] : [receiver.generation]) : "${key}-${generation}"
    ] if !contains(nonsensitive(keys(var.receiver_secrets)), key)
  ]))

  receiver_secret = {
    for key, receiver in var.receivers : key => try(var.receiver_secrets[key], random_password.receiver["${key}-${receiver.generation}"].result)
  }
  previous_receiver_secret = {
    for key, receiver in var.receivers : key => try(var.previous_receiver_secrets[key], random_password.receiver["${key}-${receiver.generation - 1}"].result)
    if receiver.accept_previous
  }

  # Kargo's rule for a receiver's path, and the service's: no separators, and no project for a receiver of all projects.
  receiver_url = {
    for key, receiver in local.receivers : key => format("%s/%s/%s", local.base_url, receiver.provider,
    sha256("${receiver.project == null ? "" : receiver.project}${receiver.name}${local.receiver_secret[key]}"))
  }

  # What the setting RECEIVERS holds.
  receivers_document = jsonencode([
    for key, receiver in local.receivers_in_settings : {
      for field, value in {
        provider       = receiver.provider
        name           = receiver.name
        project        = receiver.project
        registry       = receiver.registry
        secret         = local.receiver_secret[key]
        previousSecret = lookup(local.previous_receiver_secret, key, null)
      } : field => value if value != null
    }
  ])

  # A write-only value is written when its version changes. 28 bits of a hash: enough to notice a change, of no use to
  # guess the value.
  receivers_document_version = parseint(substr(sha256(local.receivers_document), 0, 7), 16)
  receiver_secret_version = {
    for key, secret in local.receiver_secret : key =>
    parseint(substr(sha256("${secret}${lookup(local.previous_receiver_secret, key, "")}"), 0, 7), 16)
  }
}

resource "random_password" "receiver" {
  for_each = local.generated_secrets

  length  = 43 # letters and digits: 256 bits
  special = false
}

resource "azurerm_key_vault" "this" {
  name                = local.key_vault_name
  resource_group_name = var.resource_group_name
  location            = var.location
  tenant_id           = data.azurerm_client_config.current.tenant_id
  sku_name            = "standard"
  tags                = var.tags

  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = true # which networks is said below

  network_acls {
    bypass                     = "AzureServices"
    default_action             = var.network == null ? "Allow" : "Deny"
    virtual_network_subnet_ids = var.network == null ? [] : [var.network.subnet_id]
    ip_rules                   = var.network == null ? [] : var.network.administrator_ip_ranges
  }
}

resource "azurerm_role_assignment" "deployer_writes_secrets" {
  count = var.grant_vault_access_to_deployer ? 1 : 0

  scope                = azurerm_key_vault.this.id
  role_definition_name = "Key Vault Secrets Officer"
  principal_id         = data.azurerm_client_config.current.object_id
}

resource "azurerm_key_vault_secret" "receivers" {
  count = length(local.receivers_in_settings) > 0 ? 1 : 0

  name             = "receivers"
  key_vault_id     = azurerm_key_vault.this.id
  content_type     = "application/json"
  value_wo         = local.receivers_document
  value_wo_version = local.receivers_document_version

  depends_on = [terraform_data.vault_is_writable]
}

# Kept for whoever creates the Kubernetes Secret: this module, External Secrets, or a person.
resource "azurerm_key_vault_secret" "receiver_in_cluster" {
  for_each = local.receivers_in_cluster

  name             = "receiver-${each.key}"
  key_vault_id     = azurerm_key_vault.this.id
  content_type     = "text/plain"
  value_wo         = local.receiver_secret[each.key]
  value_wo_version = local.receiver_secret_version[each.key]

  depends_on = [terraform_data.vault_is_writable]
}

resource "random_password" "pages_key" {
  count = var.pages ? 1 : 0

  length  = 43
  special = false
}

resource "azurerm_key_vault_secret" "pages_key" {
  count = var.pages ? 1 : 0

  name             = "pages-key"
  key_vault_id     = azurerm_key_vault.this.id
  content_type     = "text/plain"
  value_wo         = random_password.pages_key[0].result
  value_wo_version = parseint(substr(sha256(random_password.pages_key[0].result), 0, 7), 16)

  depends_on = [terraform_data.vault_is_writable]
}

resource "azurerm_key_vault_secret" "cluster_token" {
  count = var.cluster.authentication == "token" ? 1 : 0

  name             = "cluster-token"
  key_vault_id     = azurerm_key_vault.this.id
  content_type     = "text/plain"
  value_wo         = var.cluster_token
  value_wo_version = var.cluster_token_version

  depends_on = [terraform_data.vault_is_writable]

  lifecycle {
    precondition {
      condition     = coalesce(nonsensitive(var.cluster_token), "-") != "-"
      error_message = "cluster.authentication = token needs cluster_token."
    }
  }
}

# A role counts only minutes after its assignment. What takes minutes anyway is made first, so that one apply suffices.
resource "terraform_data" "vault_is_writable" {
  depends_on = [
    azurerm_role_assignment.deployer_writes_secrets,
    azurerm_application_insights.this,
    azurerm_cosmosdb_sql_container.journal,
    azurerm_resource_group_template_deployment.tables,
    azurerm_service_plan.this,
    azurerm_storage_queue.this,
  ]
}
