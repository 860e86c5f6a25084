# A rotation, step by step: each run is one apply on the state that the run before left. At no step does a registry use a URL that the
# app did not accept already after the step before.

mock_provider "azapi" {
  source = "./tests/mocks/azapi"
}
mock_provider "azurerm" {
  source = "./tests/mocks/azurerm"
}
mock_provider "kubernetes" {}
mock_provider "random" {}
mock_provider "time" {}

# Mocked ones are shorter than the app accepts.
override_resource {
  target = random_password.receiver["acr-1"]
  values = { result = "the-first-secret-of-this-receiver" }
}
override_resource {
  target = random_password.receiver["acr-2"]
  values = { result = "the-second-secret-of-this-receiver" }
}

variables {
  name                = "kargo-hooks"
  resource_group_name = "rg"
  location            = "westeurope"
  cluster_token       = "" # terraform test wants every ephemeral variable set
  cluster = {
    server         = "https://aks.example.com:443"
    ca_certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
  }
  registries = {
    shopregistry = { resource_group_name = "registries", location = "westeurope", sku = "Standard", webhooks = { kargo = { receiver = "acr" } }, event_grid = { receiver = "acr" } }
  }
}

run "before" {
  variables {
    receivers = { acr = { provider = "azure", project = "shop" } }
  }
  assert {
    condition     = [for entry in jsondecode(local.receivers_document) : [entry.secret, try(entry.previousSecret, null)]] == [[random_password.receiver["acr-1"].result, null]]
    error_message = "the app does not accept the one secret alone"
  }
  assert {
    condition     = alltrue([for url in [output.receiver_urls["acr"], azurerm_container_registry_webhook.this["shopregistry/kargo"].service_uri, azurerm_eventgrid_system_topic_event_subscription.registry["shopregistry"].webhook_endpoint[0].url] : endswith(url, sha256("shopacr${random_password.receiver["acr-1"].result}"))])
    error_message = "registries use another URL"
  }
}

run "first_the_next_secret_is_accepted" {
  variables {
    receivers = { acr = { provider = "azure", project = "shop", accept_next = true } }
  }
  assert {
    condition     = keys(random_password.receiver) == ["acr-1", "acr-2"]
    error_message = "the next secret is not generated, or the present one is lost"
  }
  assert {
    condition     = [for entry in jsondecode(local.receivers_document) : [entry.secret, try(entry.previousSecret, null)]] == [[random_password.receiver["acr-2"].result, random_password.receiver["acr-1"].result]]
    error_message = "the app does not accept both"
  }
  assert {
    condition     = alltrue([for url in [output.receiver_urls["acr"], azurerm_container_registry_webhook.this["shopregistry/kargo"].service_uri, azurerm_eventgrid_system_topic_event_subscription.registry["shopregistry"].webhook_endpoint[0].url] : endswith(url, sha256("shopacr${random_password.receiver["acr-1"].result}"))])
    error_message = "registries use the next URL while instances may not know it"
  }
}

run "then_registries_use_its_url" {
  variables {
    receivers = { acr = { provider = "azure", project = "shop", generation = 2, accept_previous = true } }
  }
  assert {
    condition     = [for entry in jsondecode(local.receivers_document) : [entry.secret, try(entry.previousSecret, null)]] == [[random_password.receiver["acr-2"].result, random_password.receiver["acr-1"].result]]
    error_message = "what the app accepts changed, so it restarts just when registries change over"
  }
  assert {
    condition     = local.accepted_secrets_version == parseint(substr(sha256(jsonencode({ acr = sort([random_password.receiver["acr-1"].result, random_password.receiver["acr-2"].result]) })), 0, 7), 16)
    error_message = "it is waited for instances that need not learn anything"
  }
  assert {
    condition     = alltrue([for url in [output.receiver_urls["acr"], azurerm_container_registry_webhook.this["shopregistry/kargo"].service_uri, azurerm_eventgrid_system_topic_event_subscription.registry["shopregistry"].webhook_endpoint[0].url] : endswith(url, sha256("shopacr${random_password.receiver["acr-2"].result}"))])
    error_message = "registries use the old URL"
  }
}

run "last_the_old_secret_is_gone" {
  variables {
    receivers = { acr = { provider = "azure", project = "shop", generation = 2 } }
  }
  assert {
    condition     = keys(random_password.receiver) == ["acr-2"] && [for entry in jsondecode(local.receivers_document) : [entry.secret, try(entry.previousSecret, null)]] == [[random_password.receiver["acr-2"].result, null]]
    error_message = "the previous secret is still accepted"
  }
  assert {
    condition     = alltrue([for url in [output.receiver_urls["acr"], azurerm_container_registry_webhook.this["shopregistry/kargo"].service_uri, azurerm_eventgrid_system_topic_event_subscription.registry["shopregistry"].webhook_endpoint[0].url] : endswith(url, sha256("shopacr${random_password.receiver["acr-2"].result}"))])
    error_message = "registries use another URL"
  }
}

run "a_secret_of_ones_own_is_rotated_alike" {
  variables {
    receivers             = { acr = { provider = "azure", project = "shop", accept_next = true } }
    receiver_secrets      = { acr = "ooooooooooooooooooo" }
    next_receiver_secrets = { acr = "nnnnnnnnnnnnnnnnnnn" }
  }
  assert {
    condition     = [for entry in jsondecode(local.receivers_document) : [entry.secret, try(entry.previousSecret, null)]] == [["nnnnnnnnnnnnnnnnnnn", "ooooooooooooooooooo"]] && endswith(output.receiver_urls["acr"], sha256("shopacrooooooooooooooooooo"))
    error_message = "not both are accepted, or the next URL is used already"
  }
}

run "and_then_its_url_is_used" {
  variables {
    receivers                 = { acr = { provider = "azure", project = "shop", accept_previous = true } }
    receiver_secrets          = { acr = "nnnnnnnnnnnnnnnnnnn" }
    previous_receiver_secrets = { acr = "ooooooooooooooooooo" }
  }
  assert {
    condition     = [for entry in jsondecode(local.receivers_document) : [entry.secret, try(entry.previousSecret, null)]] == [["nnnnnnnnnnnnnnnnnnn", "ooooooooooooooooooo"]] && endswith(output.receiver_urls["acr"], sha256("shopacrnnnnnnnnnnnnnnnnnnn"))
    error_message = "not both are accepted, or the old URL is used still"
  }
}

run "in_the_cluster_the_secret_of_the_url_comes_first" {
  variables {
    receivers = { acr = { provider = "azure", project = "shop", configured_in = "cluster", manage_in_cluster = true, accept_next = true } }
  }
  assert {
    condition     = local.receiver_secret["acr"] == random_password.receiver["acr-1"].result && local.other_receiver_secret["acr"] == random_password.receiver["acr-2"].result && keys(azurerm_key_vault_secret.other_receiver_in_cluster) == ["acr"]
    error_message = "Kargo would publish a URL that registries do not use"
  }
}
