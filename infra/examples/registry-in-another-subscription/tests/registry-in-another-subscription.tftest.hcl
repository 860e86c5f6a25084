mock_provider "azapi" {
  source = "../../tests/mocks/azapi"
}
mock_provider "azurerm" {
  source = "../../tests/mocks/azurerm"
}
mock_provider "azurerm" {
  alias  = "registry"
  source = "../../tests/mocks/azurerm"
}
mock_provider "kubernetes" {}
mock_provider "random" {}
mock_provider "time" {}

variables {
  subscription_id = "00000000-0000-0000-0000-000000000001"
  name            = "kargo-hooks"
  location        = "westeurope"
  cluster = {
    server         = "https://cluster.example.com:443"
    ca_certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
  }
  project = "shop"
  package = null # deploying is a command, which a test must not run
  registry = {
    subscription_id     = "00000000-0000-0000-0000-000000000002"
    name                = "contoso"
    resource_group_name = "registries"
    location            = "westeurope"
  }
}

run "applies" {
  assert {
    condition     = join(",", keys(output.receiver_urls)) == "acr"
    error_message = "not these receivers"
  }
  assert {
    condition     = output.base_url == "https://kargo-hooks.azurewebsites.net" && output.deploy == "make deploy APP=kargo-hooks RG=kargo-hooks SUBSCRIPTION=00000000-0000-0000-0000-000000000001"
    error_message = "the outputs do not say where the app is"
  }
  assert {
    condition     = azurerm_eventgrid_system_topic_event_subscription.registry.webhook_endpoint[0].url == output.receiver_urls["acr"] && startswith(azurerm_eventgrid_system_topic.registry.source_resource_id, "/subscriptions/00000000-0000-0000-0000-000000000002/")
    error_message = "the registry's events do not go to the receiver"
  }
}
