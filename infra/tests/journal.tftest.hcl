# Where the journal is kept.

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

run "journal_in_a_table" {
  assert {
    condition     = local.site_settings["JOURNAL"] == "table" && [for table in jsondecode(azurerm_resource_group_template_deployment.tables.template_content).resources : split("/", table.name)[2]] == ["receivers", "refusals", "formerurls", "deliveries", "hours"] && length(azurerm_cosmosdb_account.journal) == 0
    error_message = "the journal is not in a table"
  }
}

run "journal_off" {
  variables {
    journal = { store = "none" }
  }
  assert {
    condition     = local.site_settings["JOURNAL"] == "none" && [for table in jsondecode(azurerm_resource_group_template_deployment.tables.template_content).resources : split("/", table.name)[2]] == ["receivers", "refusals", "formerurls"] && length(azurerm_cosmosdb_account.journal) == 0
    error_message = "there is a journal"
  }
}

run "journal_in_cosmos" {
  variables {
    journal = { store = "cosmos", days = 7 }
  }
  assert {
    condition     = local.site_settings["JOURNAL"] == "cosmos" && local.site_settings["COSMOS_ENDPOINT"] == azurerm_cosmosdb_account.journal[0].endpoint
    error_message = "the app does not know the account"
  }
  assert {
    condition     = azurerm_cosmosdb_account.journal[0].local_authentication_enabled == false && azurerm_cosmosdb_sql_container.journal[0].partition_key_paths == tolist(["/id"]) && azurerm_cosmosdb_sql_container.journal[0].default_ttl == 604800
    error_message = "keys are on, or the container is not as the app expects it"
  }
  assert {
    condition     = endswith(azurerm_cosmosdb_sql_role_assignment.journal[0].scope, "/dbs/acr/colls/pushes") && endswith(azurerm_cosmosdb_sql_role_assignment.journal[0].role_definition_id, "0002")
    error_message = "the identity may do more than write this container, or less"
  }
}
