# The receivers' secrets and the URLs made of them.

mock_provider "azurerm" {
  source = "./tests/mocks"
}
mock_provider "kubernetes" {}
mock_provider "random" {}

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
    condition     = azurerm_function_app_flex_consumption.this.app_settings["RECEIVERS"] == "@Microsoft.KeyVault(SecretUri=${azurerm_key_vault_secret.receivers[0].id})"
    error_message = "RECEIVERS is not a reference to Key Vault"
  }
  assert {
    condition     = alltrue([for value in values(azurerm_function_app_flex_consumption.this.app_settings) : !anytrue([for secret in concat(values(random_password.receiver), random_password.pages_key) : strcontains(value, secret.result)])])
    error_message = "a secret stands in a plain setting"
  }
  assert {
    condition     = azurerm_key_vault.this.rbac_authorization_enabled && azurerm_key_vault.this.purge_protection_enabled
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
    condition     = length(random_password.receiver) == 0 && azurerm_function_app_flex_consumption.this.app_settings["EXTERNAL_WEBHOOK_SERVER_BASE_URL"] == "https://hooks.example.com"
    error_message = "a secret was generated beside the given one, or the base URL is not the given one"
  }
}

run "a_rotation_begins_with_both_secrets_accepted" {
  variables {
    receivers = { acr = { provider = "azure", project = "shop", generation = 2, accept_previous = true } }
  }
  assert {
    condition     = keys(random_password.receiver) == ["acr-1", "acr-2"]
    error_message = "the previous secret is gone"
  }
  assert {
    condition     = [for entry in jsondecode(local.receivers_document) : [entry.secret, try(entry.previousSecret, null)]] == [[random_password.receiver["acr-2"].result, random_password.receiver["acr-1"].result]]
    error_message = "the app does not accept both"
  }
  assert {
    condition     = endswith(output.receiver_urls["acr"], sha256("shopacr${random_password.receiver["acr-2"].result}"))
    error_message = "the URL is not the new one"
  }
}

run "a_rotation_ends_with_the_new_secret_alone" {
  variables {
    receivers = { acr = { provider = "azure", project = "shop", generation = 2 } }
  }
  assert {
    condition     = keys(random_password.receiver) == ["acr-2"] && !can(jsondecode(local.receivers_document)[0].previousSecret)
    error_message = "the previous secret is still accepted"
  }
}

run "a_rotation_of_ones_own_secret" {
  variables {
    receivers                 = { acr = { provider = "azure", project = "shop", accept_previous = true } }
    receiver_secrets          = { acr = "nnnnnnnnnnnnnnnnnnn" }
    previous_receiver_secrets = { acr = "ooooooooooooooooooo" }
  }
  assert {
    condition     = [for entry in jsondecode(nonsensitive(local.receivers_document)) : [entry.secret, entry.previousSecret]] == [["nnnnnnnnnnnnnnnnnnn", "ooooooooooooooooooo"]]
    error_message = "the app does not accept both"
  }
}

run "without_receivers_in_the_settings_there_is_no_such_setting" {
  variables {
    receivers = {}
  }
  assert {
    condition     = !contains(keys(azurerm_function_app_flex_consumption.this.app_settings), "RECEIVERS") && length(azurerm_key_vault_secret.receivers) == 0 && keys(azurerm_role_assignment.app_reads_secret) == ["pages-key"]
    error_message = "RECEIVERS is set, or the app may read a secret that does not exist"
  }
}

run "the_pages_are_closed_without_a_key" {
  variables {
    pages = false
  }
  assert {
    condition     = !contains(keys(azurerm_function_app_flex_consumption.this.app_settings), "PAGES_KEY") && length(random_password.pages_key) + length(azurerm_key_vault_secret.pages_key) == 0 && output.pages_key == null
    error_message = "there is a key although the pages are off"
  }
}
