locals {
  base_url  = coalesce(var.base_url, "https://${terraform_data.default_host_name.output}")
  base_path = var.base_url == null ? "" : trim(replace(var.base_url, "/^https://[^/]+/", ""), "/")

  resource_group_id = "/subscriptions/${data.azurerm_client_config.current.subscription_id}/resourceGroups/${var.resource_group_name}"

  # Names that must be unique in all of Azure. The suffix makes a second attempt possible after a destroy: a vault with
  # purge protection keeps its name for months. A storage account has up to 24 letters and digits, a vault up to 24 with single hyphens
  # between them.
  storage_account_name = coalesce(var.names.storage_account, "${substr(replace(var.name, "-", ""), 0, 16)}${random_string.suffix.result}")
  key_vault_name       = coalesce(var.names.key_vault, "${trim(substr(replace(var.name, "/-+/", "-"), 0, 15), "-")}-${random_string.suffix.result}")
  workspace_name       = coalesce(var.names.workspace, length(var.name) < 4 ? "${var.name}-logs" : var.name)

  # Firewalls of storage accounts refuse /31 and /32 and take the addresses instead; vaults and Cosmos DB take either.
  administrator_addresses = var.network == null ? [] : distinct(flatten([
    for range in var.network.administrator_ip_ranges :
    endswith(range, "/32") ? [trimsuffix(range, "/32")] : endswith(range, "/31") ? [cidrhost(range, 0), cidrhost(range, 1)] : [range]
  ]))

  receivers = {
    for key, receiver in var.receivers : key => merge(receiver, {
      name        = coalesce(receiver.name, key)
      secret_name = coalesce(receiver.secret_name, "kargo-receivers-${coalesce(receiver.name, key)}")
      namespace   = receiver.project == null ? var.cluster.system_resources_namespace : receiver.project
    })
  }
  receivers_in_settings = { for key, receiver in local.receivers : key => receiver if receiver.configured_in == "settings" }
  receivers_in_cluster  = { for key, receiver in local.receivers : key => receiver if receiver.configured_in == "cluster" }
  receivers_managed     = { for key, receiver in local.receivers_in_cluster : key => receiver if receiver.manage_in_cluster }

  secret_namespaces = setunion(var.cluster.secret_namespaces, values(local.receivers_in_cluster)[*].namespace)
}

resource "random_string" "suffix" {
  length  = 6
  lower   = true
  numeric = true
  upper   = false
  special = false
}
