# The registries that tell of pushes: webhooks, Event Grid, and what of it is refused.

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
    acr  = { provider = "azure", project = "shop" }
    quay = { provider = "quay" }
  }
}

run "no_registries" {
  assert {
    condition     = length(azurerm_container_registry_webhook.this) + length(azurerm_eventgrid_system_topic.registry) + length(azurerm_storage_container.dead_letters) == 0
    error_message = "something is registered although no registry was named"
  }
}

run "a_webhook_for_each_entry" {
  variables {
    registries = {
      shopregistry = {
        resource_group_name = "registries", location = "westeurope", sku = "Basic"
        webhooks = {
          kargoall = { receiver = "acr" }
          kargoapp = { receiver = "acr", scope = "team/app:*", actions = ["push", "chart_push"], custom_headers = { "X-Source" = "acr" } }
        }
      }
      other = { resource_group_name = "registries", location = "northeurope", sku = "Premium", webhooks = { kargoall = { receiver = "acr", location = "eastus", enabled = false } } }
    }
  }
  assert {
    condition     = keys(azurerm_container_registry_webhook.this) == ["other/kargoall", "shopregistry/kargoall", "shopregistry/kargoapp"]
    error_message = "not one webhook for each entry"
  }
  assert {
    condition     = alltrue([for webhook in azurerm_container_registry_webhook.this : webhook.service_uri == output.receiver_urls["acr"]])
    error_message = "a webhook does not post to its receiver's URL"
  }
  assert {
    condition     = azurerm_container_registry_webhook.this["shopregistry/kargoall"].scope == "" && azurerm_container_registry_webhook.this["shopregistry/kargoall"].actions == toset(["push"]) && azurerm_container_registry_webhook.this["shopregistry/kargoall"].status == "enabled"
    error_message = "by default a webhook tells of every push"
  }
  assert {
    condition     = azurerm_container_registry_webhook.this["shopregistry/kargoapp"].scope == "team/app:*" && azurerm_container_registry_webhook.this["shopregistry/kargoapp"].custom_headers["X-Source"] == "acr"
    error_message = "scope or header is lost"
  }
  assert {
    condition     = azurerm_container_registry_webhook.this["other/kargoall"].location == "eastus" && azurerm_container_registry_webhook.this["other/kargoall"].status == "disabled"
    error_message = "the replica's region or the status is lost"
  }
}

run "event_grid_tries_again_and_keeps_what_fails" {
  variables {
    registries = {
      shopregistry = { resource_group_name = "registries", location = "westeurope", sku = "Standard", event_grid = { receiver = "acr", subject_begins_with = "team/" } }
    }
  }
  assert {
    condition     = azurerm_eventgrid_system_topic.registry["shopregistry"].source_resource_id == "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/registries/providers/Microsoft.ContainerRegistry/registries/shopregistry"
    error_message = "the topic is not the registry's"
  }
  assert {
    condition     = azurerm_eventgrid_system_topic_event_subscription.registry["shopregistry"].webhook_endpoint[0].url == output.receiver_urls["acr"]
    error_message = "events do not go to the receiver's URL"
  }
  assert {
    condition     = azurerm_eventgrid_system_topic_event_subscription.registry["shopregistry"].retry_policy[0].max_delivery_attempts == 30 && azurerm_eventgrid_system_topic_event_subscription.registry["shopregistry"].storage_blob_dead_letter_destination[0].storage_blob_container_name == "dead-letters"
    error_message = "no retries, or no place for what fails"
  }
  assert {
    condition     = azurerm_eventgrid_system_topic.registry["shopregistry"].identity[0].type == "UserAssigned" && azurerm_eventgrid_system_topic_event_subscription.registry["shopregistry"].dead_letter_identity[0].user_assigned_identity == azurerm_user_assigned_identity.this.id && length(azurerm_role_assignment.dead_letters) == 0
    error_message = "the topic writes what fails with another identity than the one"
  }
}

run "a_topic_that_exists_is_used_as_it_is" {
  variables {
    registries = {
      shopregistry = {
        resource_group_name = "registries", location = "westeurope", sku = "Standard"
        event_grid          = { receiver = "acr", system_topic = { name = "theirs", resource_group_name = "events", principal_id = "00000000-0000-0000-0000-000000000010" } }
      }
      other = { resource_group_name = "registries", location = "westeurope", sku = "Standard", event_grid = { receiver = "acr", system_topic = { name = "bare" } } }
    }
  }
  assert {
    condition     = length(azurerm_eventgrid_system_topic.registry) == 0 && { for name, events in azurerm_eventgrid_system_topic_event_subscription.registry : name => "${events.resource_group_name}/${events.system_topic}" } == { shopregistry = "events/theirs", other = "registries/bare" }
    error_message = "a second topic is made, which Azure refuses"
  }
  assert {
    condition     = azurerm_eventgrid_system_topic_event_subscription.registry["shopregistry"].dead_letter_identity[0].type == "SystemAssigned" && keys(azurerm_role_assignment.dead_letters) == ["shopregistry"] && azurerm_role_assignment.dead_letters["shopregistry"].role_definition_name == "Storage Blob Data Contributor" && azurerm_role_assignment.dead_letters["shopregistry"].scope == azurerm_storage_container.dead_letters[0].id
    error_message = "the topic may write elsewhere than into the container of dead letters, or not there"
  }
  assert {
    condition     = length(azurerm_eventgrid_system_topic_event_subscription.registry["other"].storage_blob_dead_letter_destination) == 0
    error_message = "what fails shall be kept by a topic that has no identity to do so"
  }
}

run "a_package_is_deployed_before_event_grid_asks" {
  command = plan
  variables {
    package    = "./variables.tf" # any file; a plan runs no command
    registries = { shopregistry = { resource_group_name = "registries", location = "westeurope", sku = "Standard", event_grid = { receiver = "acr" } } }
  }
  assert {
    condition     = length(terraform_data.package) == 1
    error_message = "the package is not deployed"
  }
}

run "basic_has_two_webhooks" {
  command = plan
  variables {
    registries = {
      shopregistry = { resource_group_name = "registries", location = "westeurope", sku = "Basic", existing_webhooks = 1, webhooks = { kargo1 = { receiver = "acr" }, kargo2 = { receiver = "acr" } } }
    }
  }
  expect_failures = [var.registries]
}

run "standard_has_ten_webhooks" {
  command = plan
  variables {
    registries = {
      shopregistry = { resource_group_name = "registries", location = "westeurope", sku = "Standard", existing_webhooks = 10, webhooks = { kargo1 = { receiver = "acr" } } }
    }
  }
  expect_failures = [var.registries]
}

run "premium_has_500_webhooks" {
  command = plan
  variables {
    registries = {
      shopregistry = { resource_group_name = "registries", location = "westeurope", sku = "Premium", existing_webhooks = 500, webhooks = { kargo1 = { receiver = "acr" } } }
    }
  }
  expect_failures = [var.registries]
}

run "a_registry_posts_to_a_receiver_that_understands_it" {
  command = plan
  variables {
    registries = { shopregistry = { resource_group_name = "registries", location = "westeurope", sku = "Basic", webhooks = { kargo1 = { receiver = "quay" } } } }
  }
  expect_failures = [var.registries]
}

run "a_receiver_must_exist" {
  command = plan
  variables {
    registries = { shopregistry = { resource_group_name = "registries", location = "westeurope", sku = "Basic", webhooks = { kargo1 = { receiver = "acrr" } } } }
  }
  expect_failures = [var.registries]
}
