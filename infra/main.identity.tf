# The app's one identity and all it may do in Azure. What it may do in the cluster: main.cluster.tf.

resource "azurerm_user_assigned_identity" "this" {
  name                = coalesce(var.names.identity, var.name)
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

# The account is the app's alone. Roles as the Functions host documents them for an identity-based AzureWebJobsStorage:
# https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity
resource "azurerm_role_assignment" "storage" {
  for_each = {
    blob  = "Storage Blob Data Owner"        # the package, the host's locks and keys
    queue = "Storage Queue Data Contributor" # the retry queue
    table = "Storage Table Data Contributor" # the journal, the last known receivers
  }

  scope                = local.storage.id
  role_definition_name = each.value
  principal_id         = azurerm_user_assigned_identity.this.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "telemetry" {
  count = var.telemetry.enabled ? 1 : 0

  scope                = azurerm_application_insights.this[0].id
  role_definition_name = "Monitoring Metrics Publisher"
  principal_id         = azurerm_user_assigned_identity.this.principal_id
  principal_type       = "ServicePrincipal"
}

# It may read the secrets that the app refers to, one by one, and nothing else in the vault.
resource "azurerm_role_assignment" "app_reads_secret" {
  for_each = merge(
    var.pages ? { pages-key = azurerm_key_vault_secret.pages_key[0].resource_versionless_id } : {},
    length(local.receivers_in_settings) > 0 ? { receivers = azurerm_key_vault_secret.receivers[0].resource_versionless_id } : {},
    var.cluster.authentication == "token" ? { cluster-token = azurerm_key_vault_secret.cluster_token[0].resource_versionless_id } : {},
  )

  scope                = each.value
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.this.principal_id
  principal_type       = "ServicePrincipal"
}

# A role counts a minute or two after its assignment, ten at worst. What needs them waits here, and waits again when one is added.
resource "time_sleep" "roles" {
  create_duration = "120s"

  triggers = merge(
    { for key, role in azurerm_role_assignment.storage : "storage-${key}" => role.id },
    { for key, role in azurerm_role_assignment.app_reads_secret : "secret-${key}" => role.id },
    { for index, role in azurerm_role_assignment.telemetry : "telemetry-${index}" => role.id },
    { for index, role in azurerm_cosmosdb_sql_role_assignment.journal : "journal-${index}" => role.id },
  )
}
