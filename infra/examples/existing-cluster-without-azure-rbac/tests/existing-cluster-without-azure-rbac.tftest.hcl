mock_provider "azapi" {
  source = "../../tests/mocks/azapi"
}
mock_provider "azurerm" {
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
  project       = "shop"
  cluster_token = "eyJhbGciOiJSUzI1NiJ9.canary"
}

run "applies" {
  assert {
    condition     = join(",", keys(output.receiver_urls)) == "hub,quay"
    error_message = "not these receivers"
  }
  assert {
    condition     = output.base_url == "https://kargo-hooks.azurewebsites.net" && output.deploy == "make deploy APP=kargo-hooks RG=kargo-hooks SUBSCRIPTION=00000000-0000-0000-0000-000000000001"
    error_message = "the outputs do not say where the app is"
  }
}
