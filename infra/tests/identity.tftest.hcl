# What the identity may do in Azure.

mock_provider "azapi" {
  source = "./tests/mocks/azapi"
}
mock_provider "azurerm" {
  source = "./tests/mocks/azurerm"
}
mock_provider "kubernetes" {}
mock_provider "random" {}
mock_provider "time" {}

variables {
  name                = "kargo-hooks"
  resource_group_name = "rg"
  location            = "westeurope"
  cluster_token       = "" # terraform test wants every ephemeral variable set
  cluster = {
    server         = "https://aks.example.com:443"
    ca_certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
  }
  receivers = {
    acr = { provider = "azure", project = "shop" }
  }
}

run "the_identity_has_these_roles_and_no_other" {
  assert {
    condition = { for key, role in azurerm_role_assignment.storage : key => role.role_definition_name } == {
      blob = "Storage Blob Data Owner", queue = "Storage Queue Data Contributor", table = "Storage Table Data Contributor"
    }
    error_message = "the roles on the storage account are not these three"
  }
  assert {
    condition     = alltrue([for role in azurerm_role_assignment.storage : role.scope == azurerm_storage_account.this[0].id && role.principal_id == azurerm_user_assigned_identity.this.principal_id])
    error_message = "a storage role reaches beyond the account or is somebody else's"
  }
  assert {
    condition     = one(azurerm_role_assignment.telemetry[*].role_definition_name) == "Monitoring Metrics Publisher" && one(azurerm_role_assignment.telemetry[*].scope) == azurerm_application_insights.this[0].id
    error_message = "the identity cannot send telemetry"
  }
  assert {
    condition     = keys(azurerm_role_assignment.app_reads_secret) == ["pages-key", "receivers"] && alltrue([for role in azurerm_role_assignment.app_reads_secret : role.role_definition_name == "Key Vault Secrets User" && endswith(role.scope, "/secrets/secret") && role.principal_id == azurerm_user_assigned_identity.this.principal_id])
    error_message = "the app may read other secrets than those it refers to"
  }
  assert {
    condition     = length(azurerm_role_assignment.kargo) + length(azurerm_role_assignment.secrets) + length(azurerm_role_assignment.dead_letters) + length(azurerm_cosmosdb_sql_role_assignment.journal) == 0
    error_message = "a role is assigned that nothing asked for"
  }
}

run "no_request_url_reaches_the_workspace_by_diagnostics" {
  assert {
    condition     = length(azurerm_monitor_diagnostic_setting.app[0].enabled_log) == 0
    error_message = "the app's log categories repeat request paths"
  }
  assert {
    condition     = azurerm_application_insights.this[0].local_authentication_enabled == false
    error_message = "whoever knows the connection string can write telemetry"
  }
}

run "telemetry_off" {
  variables {
    telemetry = { enabled = false }
  }
  assert {
    condition     = length(azurerm_application_insights.this) + length(azurerm_log_analytics_workspace.this) + length(azurerm_role_assignment.telemetry) + length(azurerm_monitor_diagnostic_setting.app) + length(azurerm_monitor_diagnostic_setting.vault) == 0
    error_message = "something of telemetry is left"
  }
  assert {
    condition     = !contains(keys(local.site_settings), "APPLICATIONINSIGHTS_AUTHENTICATION_STRING")
    error_message = "a setting of telemetry is left"
  }
}
