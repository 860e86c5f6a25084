locals {
  base_url = coalesce(var.base_url, "https://${var.name}.azurewebsites.net")

  # Names that must be unique in all of Azure. The suffix makes a second attempt possible after a destroy: a vault with
  # purge protection keeps its name for months.
  storage_account_name = "${substr(replace(var.name, "-", ""), 0, 16)}${random_string.suffix.result}"
  key_vault_name       = "${trimsuffix(substr(var.name, 0, 15), "-")}-${random_string.suffix.result}"

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
