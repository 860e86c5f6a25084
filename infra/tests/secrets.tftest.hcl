# The receivers' secrets and the URLs made of them.

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

run "secrets_are_references_to_the_vault" {
  assert {
    condition     = local.site_settings["RECEIVERS"] == "@Microsoft.KeyVault(SecretUri=${azurerm_key_vault_secret.receivers[0].id})"
    error_message = "RECEIVERS is not a reference to Key Vault"
  }
  assert {
    condition     = alltrue([for value in values(local.site_settings) : !anytrue([for secret in concat(values(random_password.receiver), random_password.pages_key) : strcontains(value, secret.result)])])
    error_message = "a secret stands in a plain setting"
  }
  assert {
    condition     = azurerm_key_vault.this[0].rbac_authorization_enabled && azurerm_key_vault.this[0].purge_protection_enabled
    error_message = "the vault is without RBAC or purge protection"
  }
  assert {
    condition     = azurerm_key_vault_secret.receivers[0].value == null && length(random_password.receiver) == 1 && random_password.receiver["acr-1"].length == 43
    error_message = "the vault's secret stands in the state, or is not generated"
  }
}

run "the_url_follows_kargos_rule" {
  assert {
    condition     = output.receiver_urls == { acr = "https://kargo-hooks.azurewebsites.net/azure/${sha256("shopacr${random_password.receiver["acr-1"].result}")}" }
    error_message = "the URL is not /azure/sha256(project + name + secret)"
  }
}

run "a_receiver_of_all_projects_hashes_no_project" {
  variables {
    base_url         = "https://hooks.example.com"
    receivers        = { "dh-1" = { provider = "dockerhub", name = "r" } }
    receiver_secrets = { "dh-1" = "sssssssssssssssssss" }
  }
  assert {
    condition     = output.receiver_urls == { "dh-1" = "https://hooks.example.com/dockerhub/${sha256("rsssssssssssssssssss")}" }
    error_message = "not sha256(name + secret) under the base URL"
  }
  assert {
    condition     = length(random_password.receiver) == 0 && local.site_settings["EXTERNAL_WEBHOOK_SERVER_BASE_URL"] == "https://hooks.example.com"
    error_message = "a secret was generated beside the given one, or the base URL is not the given one"
  }
}

run "a_base_path_stands_before_every_path" {
  variables {
    base_url = "https://kargo.example.com/webhooks"
  }
  assert {
    condition     = startswith(output.receiver_urls["acr"], "https://kargo.example.com/webhooks/azure/") && local.site_settings["AzureFunctionsJobHost__extensions__http__routePrefix"] == "webhooks"
    error_message = "the app does not serve the URLs that are told"
  }
}

run "without_receivers_in_the_settings_there_is_no_such_setting" {
  variables {
    receivers = {}
  }
  assert {
    condition     = !contains(keys(local.site_settings), "RECEIVERS") && length(azurerm_key_vault_secret.receivers) == 0 && keys(azurerm_role_assignment.app_reads_secret) == ["pages-key"]
    error_message = "RECEIVERS is set, or the app may read a secret that does not exist"
  }
}

run "the_pages_are_closed_without_a_key" {
  variables {
    pages = false
  }
  assert {
    condition     = !contains(keys(local.site_settings), "PAGES_KEY") && length(random_password.pages_key) + length(azurerm_key_vault_secret.pages_key) == 0 && output.pages_key == null
    error_message = "there is a key although the pages are off"
  }
}
