# What is used instead of made, and what can be reached from where.

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

run "what_exists_is_used" {
  variables {
    existing = {
      workspace_id       = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shared/providers/Microsoft.OperationalInsights/workspaces/theirs"
      key_vault_id       = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shared/providers/Microsoft.KeyVault/vaults/theirs"
      storage_account_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shared/providers/Microsoft.Storage/storageAccounts/theirs"
    }
  }
  assert {
    condition     = length(azurerm_log_analytics_workspace.this) + length(azurerm_key_vault.this) + length(azurerm_storage_account.this) == 0
    error_message = "something is made beside what exists"
  }
  assert {
    condition     = azurerm_application_insights.this[0].workspace_id == var.existing.workspace_id && azurerm_key_vault_secret.receivers[0].key_vault_id == var.existing.key_vault_id && azurerm_storage_queue.this["refreshes"].storage_account_id == var.existing.storage_account_id
    error_message = "what exists is not used"
  }
  assert {
    condition     = azurerm_key_vault_secret.receivers[0].name == "kargo-hooks-receivers" && azurerm_key_vault_secret.pages_key[0].name == "kargo-hooks-pages-key"
    error_message = "names of secrets can be somebody else's in a shared vault"
  }
  assert {
    condition     = data.azurerm_storage_account.yours[0].name == "theirs" && data.azurerm_storage_account.yours[0].resource_group_name == "shared" && local.site_settings["AzureWebJobsStorage__queueServiceUri"] == "https://theirs.queue.core.windows.net"
    error_message = "the app looks for its storage elsewhere"
  }
  assert {
    condition     = output.workspace_id == var.existing.workspace_id && output.key_vault_name == "theirs" && output.storage_account_name == data.azurerm_storage_account.yours[0].name
    error_message = "an output tells of something else"
  }
}

run "an_id_of_something_else" {
  command = plan
  variables {
    existing = { workspace_id = "theirs", key_vault_id = "theirs", storage_account_id = "theirs" }
  }
  expect_failures = [var.existing]
}

run "private_endpoints_close_everything_behind_the_app" {
  variables {
    journal = { store = "cosmos" }
    network = { subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/network/subnets/app" }
    private_endpoints = {
      subnet_id    = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/network/subnets/endpoints"
      dns_zone_ids = { vault = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net" }
    }
    public_network_access = false
  }
  assert {
    condition     = !azurerm_storage_account.this[0].public_network_access_enabled && !azurerm_key_vault.this[0].public_network_access_enabled && !azurerm_cosmosdb_account.journal[0].public_network_access_enabled && azapi_resource.site.body.properties.publicNetworkAccess == "Disabled"
    error_message = "something is still reached from the internet"
  }
  assert {
    condition     = { for name, endpoint in azurerm_private_endpoint.this : name => endpoint.private_service_connection[0].subresource_names[0] } == { vault = "vault", blob = "blob", queue = "queue", table = "table", sql = "Sql" } && azurerm_private_endpoint.site[0].private_service_connection[0].private_connection_resource_id == azapi_resource.site.id
    error_message = "an endpoint is missing"
  }
  assert {
    condition     = [for name, endpoint in azurerm_private_endpoint.this : name if length(endpoint.private_dns_zone_group) > 0] == ["vault"]
    error_message = "a zone is not used, or one is invented"
  }
}

run "endpoints_that_the_app_cannot_reach" {
  command = plan
  variables {
    private_endpoints = { subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/network/subnets/endpoints" }
  }
  expect_failures = [var.private_endpoints]
}
