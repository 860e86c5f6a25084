# Names that Azure accepts, whatever the app is called. Each name is tried twice: in the second plan the random suffix is known, so the
# provider checks the names with it too.

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

run "a_short_name" {
  variables {
    name    = "k8s"
    journal = { store = "cosmos" }
    registries = {
      rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr = { resource_group_name = "registries", location = "westeurope", sku = "Basic", event_grid = { receiver = "acr" } }
    }
  }
  assert {
    condition     = can(regex("^[a-zA-Z](-?[0-9a-zA-Z])*$", azurerm_key_vault.this[0].name)) && length(azurerm_key_vault.this[0].name) <= 24 && length(azurerm_storage_account.this[0].name) <= 24 && length(azurerm_log_analytics_workspace.this[0].name) >= 4 && alltrue([for topic in azurerm_eventgrid_system_topic.registry : length(topic.name) <= 50])
    error_message = "Azure refuses a name"
  }
}

run "a_short_name_again" {
  command = plan
  variables {
    name    = "k8s"
    journal = { store = "cosmos" }
    registries = {
      rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr = { resource_group_name = "registries", location = "westeurope", sku = "Basic", event_grid = { receiver = "acr" } }
    }
  }
  assert {
    condition     = can(regex("^[a-zA-Z](-?[0-9a-zA-Z])*$", azurerm_key_vault.this[0].name)) && length(azurerm_key_vault.this[0].name) <= 24 && length(azurerm_storage_account.this[0].name) <= 24 && length(azurerm_log_analytics_workspace.this[0].name) >= 4 && alltrue([for topic in azurerm_eventgrid_system_topic.registry : length(topic.name) <= 50])
    error_message = "Azure refuses a name"
  }
}

run "a_long_name_with_two_hyphens_where_it_is_cut" {
  variables {
    name    = "a123456789-123--456789-123456789"
    journal = { store = "cosmos" }
    registries = {
      rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr = { resource_group_name = "registries", location = "westeurope", sku = "Basic", event_grid = { receiver = "acr" } }
    }
  }
  assert {
    condition     = can(regex("^[a-zA-Z](-?[0-9a-zA-Z])*$", azurerm_key_vault.this[0].name)) && length(azurerm_key_vault.this[0].name) <= 24 && length(azurerm_storage_account.this[0].name) <= 24 && length(azurerm_log_analytics_workspace.this[0].name) >= 4 && alltrue([for topic in azurerm_eventgrid_system_topic.registry : length(topic.name) <= 50])
    error_message = "Azure refuses a name"
  }
}

run "a_long_name_with_two_hyphens_where_it_is_cut_again" {
  command = plan
  variables {
    name    = "a123456789-123--456789-123456789"
    journal = { store = "cosmos" }
    registries = {
      rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr = { resource_group_name = "registries", location = "westeurope", sku = "Basic", event_grid = { receiver = "acr" } }
    }
  }
  assert {
    condition     = can(regex("^[a-zA-Z](-?[0-9a-zA-Z])*$", azurerm_key_vault.this[0].name)) && length(azurerm_key_vault.this[0].name) <= 24 && length(azurerm_storage_account.this[0].name) <= 24 && length(azurerm_log_analytics_workspace.this[0].name) >= 4 && alltrue([for topic in azurerm_eventgrid_system_topic.registry : length(topic.name) <= 50])
    error_message = "Azure refuses a name"
  }
}

run "names_of_ones_own" {
  variables {
    name    = "kargo-hooks"
    names   = { application_insights = "appi-x", identity = "id-x", key_vault = "kv-x", service_plan = "asp-x", storage_account = "stx", workspace = "log-x", cosmos_account = "cosmos-x" }
    journal = { store = "cosmos" }
  }
  assert {
    condition     = [azurerm_application_insights.this[0].name, azurerm_user_assigned_identity.this.name, azurerm_key_vault.this[0].name, azurerm_service_plan.this.name, azurerm_storage_account.this[0].name, azurerm_log_analytics_workspace.this[0].name, azurerm_cosmosdb_account.journal[0].name] == ["appi-x", "id-x", "kv-x", "asp-x", "stx", "log-x", "cosmos-x"]
    error_message = "a name of one's own is lost"
  }
}
