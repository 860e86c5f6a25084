locals {
  webhooks = merge([
    for registry_name, registry in var.registries : {
      for name, webhook in registry.webhooks : "${registry_name}/${name}" => merge(webhook, {
        name                = name
        registry_name       = registry_name
        resource_group_name = registry.resource_group_name
        location            = coalesce(webhook.location, registry.location)
      })
    }
  ]...)

  event_grid = {
    for name, registry in var.registries : name => merge(registry.event_grid, {
      resource_group_name = registry.resource_group_name
      location            = registry.location
    }) if registry.event_grid != null
  }
}

resource "azurerm_container_registry_webhook" "this" {
  for_each = local.webhooks

  name                = each.value.name
  registry_name       = each.value.registry_name
  resource_group_name = each.value.resource_group_name
  location            = each.value.location
  tags                = var.tags

  service_uri    = local.receiver_url[each.value.receiver]
  scope          = each.value.scope
  actions        = each.value.actions
  custom_headers = each.value.custom_headers
  status         = each.value.enabled ? "enabled" : "disabled"

  # A changed secret reaches the app before the registry uses the URL made from it.
  depends_on = [azurerm_function_app_flex_consumption.this, kubernetes_secret_v1.receiver]
}

resource "azurerm_eventgrid_system_topic" "registry" {
  for_each = local.event_grid

  name                = "${each.key}-pushes"
  resource_group_name = each.value.resource_group_name
  location            = each.value.location
  topic_type          = "Microsoft.ContainerRegistry.Registries"
  source_resource_id  = "/subscriptions/${data.azurerm_client_config.current.subscription_id}/resourceGroups/${each.value.resource_group_name}/providers/Microsoft.ContainerRegistry/registries/${each.key}"
  tags                = var.tags

  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_role_assignment" "dead_letters" {
  for_each = local.event_grid

  scope                = azurerm_storage_container.dead_letters[0].id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_eventgrid_system_topic.registry[each.key].identity[0].principal_id
  principal_type       = "ServicePrincipal"
}

# Azure calls the app while it creates this, and wants its answer: the package must be deployed by then.
resource "azurerm_eventgrid_system_topic_event_subscription" "registry" {
  for_each = local.event_grid

  name                  = var.name
  resource_group_name   = each.value.resource_group_name
  system_topic          = azurerm_eventgrid_system_topic.registry[each.key].name
  event_delivery_schema = each.value.schema
  included_event_types  = each.value.event_types

  webhook_endpoint {
    url = local.receiver_url[each.value.receiver]
  }

  dynamic "subject_filter" {
    for_each = each.value.subject_begins_with == "" ? [] : [each.value.subject_begins_with]
    content {
      subject_begins_with = subject_filter.value
    }
  }

  retry_policy {
    max_delivery_attempts = each.value.max_delivery_attempts
    event_time_to_live    = each.value.time_to_live_minutes
  }

  dead_letter_identity {
    type = "SystemAssigned"
  }
  storage_blob_dead_letter_destination {
    storage_account_id          = azurerm_storage_account.this.id
    storage_blob_container_name = azurerm_storage_container.dead_letters[0].name
  }

  depends_on = [azurerm_role_assignment.dead_letters, terraform_data.package, kubernetes_secret_v1.receiver]
}
