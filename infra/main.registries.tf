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

  # Azure has one system topic for each registry. One that exists is used as it is, identity included.
  event_grid_own   = { for name, events in local.event_grid : name => events if events.system_topic == null }
  event_grid_found = { for name, events in local.event_grid : name => events.system_topic if events.system_topic != null }

  # Which identity writes what could not be delivered; none, and nothing is kept of it.
  dead_letters = {
    for name, events in local.event_grid : name =>
    events.system_topic == null ? "UserAssigned" : events.system_topic.principal_id != null ? "SystemAssigned" : null
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

  depends_on = [terraform_data.rights_in_cluster, time_sleep.secrets_are_known]
}

resource "azurerm_eventgrid_system_topic" "registry" {
  for_each = local.event_grid_own

  name                = "${trimsuffix(substr(each.key, 0, 43), "-")}-pushes"
  resource_group_name = each.value.resource_group_name
  location            = each.value.location
  topic_type          = "Microsoft.ContainerRegistry.Registries"
  source_resource_id  = "/subscriptions/${data.azurerm_client_config.current.subscription_id}/resourceGroups/${each.value.resource_group_name}/providers/Microsoft.ContainerRegistry/registries/${each.key}"
  tags                = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.this.id]
  }
}

# A topic of somebody else's has an identity of its own. The app's needs no further role: the account is its.
resource "azurerm_role_assignment" "dead_letters" {
  for_each = { for name, topic in local.event_grid_found : name => topic if topic.principal_id != null }

  scope                = azurerm_storage_container.dead_letters[0].id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = each.value.principal_id
  principal_type       = "ServicePrincipal"
}

# Azure calls the app while it creates this, and wants its answer: the package must be deployed by then, and the app must find the
# receiver, in its settings or in the cluster.
resource "azurerm_eventgrid_system_topic_event_subscription" "registry" {
  for_each = local.event_grid

  name                  = var.name
  resource_group_name   = try(coalesce(each.value.system_topic.resource_group_name, each.value.resource_group_name), each.value.resource_group_name)
  system_topic          = each.value.system_topic == null ? azurerm_eventgrid_system_topic.registry[each.key].name : each.value.system_topic.name
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

  dynamic "dead_letter_identity" {
    for_each = local.dead_letters[each.key] == null ? [] : [local.dead_letters[each.key]]
    content {
      type                   = dead_letter_identity.value
      user_assigned_identity = dead_letter_identity.value == "UserAssigned" ? azurerm_user_assigned_identity.this.id : null
    }
  }
  dynamic "storage_blob_dead_letter_destination" {
    for_each = local.dead_letters[each.key] == null ? [] : [azurerm_storage_container.dead_letters[0].name]
    content {
      storage_account_id          = local.storage.id
      storage_blob_container_name = storage_blob_dead_letter_destination.value
    }
  }

  depends_on = [azurerm_role_assignment.dead_letters, terraform_data.package, terraform_data.rights_in_cluster, time_sleep.secrets_are_known]
}
