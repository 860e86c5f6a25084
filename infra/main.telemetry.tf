# Logs, traces and metrics. A receiver's URL is a credential, so no request URL may be recorded:
# * the host's request telemetry, which has full URLs, is off in host.json;
# * the category FunctionAppLogs of the app, in which the host repeats request paths, is not collected;
# * the app itself logs no URL.

locals {
  workspace_id = var.existing.workspace_id == null ? one(azurerm_log_analytics_workspace.this[*].id) : var.existing.workspace_id
}

resource "azurerm_log_analytics_workspace" "this" {
  count = var.telemetry.enabled && var.existing.workspace_id == null ? 1 : 0

  name                = local.workspace_name
  resource_group_name = var.resource_group_name
  location            = var.location
  sku                 = "PerGB2018"
  retention_in_days   = var.telemetry.retention_days
  daily_quota_gb      = var.telemetry.daily_quota_gb
  tags                = var.tags

  local_authentication_enabled = false
}

resource "azurerm_application_insights" "this" {
  count = var.telemetry.enabled ? 1 : 0

  name                = coalesce(var.names.application_insights, var.name)
  resource_group_name = var.resource_group_name
  location            = var.location
  workspace_id        = local.workspace_id
  application_type    = "web"
  retention_in_days   = 90 # without effect beside a workspace, whose retention counts
  tags                = var.tags

  local_authentication_enabled = false # the connection string alone lets nobody write
}

resource "azurerm_monitor_diagnostic_setting" "app" {
  count = var.telemetry.enabled ? 1 : 0

  name                       = "to-log-analytics"
  target_resource_id         = azapi_resource.site.id
  log_analytics_workspace_id = local.workspace_id

  enabled_metric {
    category = "AllMetrics"
  }
}

# Who read or wrote which secret. A vault of your own has its own log.
resource "azurerm_monitor_diagnostic_setting" "vault" {
  count = var.telemetry.enabled && var.existing.key_vault_id == null ? 1 : 0

  name                       = "to-log-analytics"
  target_resource_id         = local.key_vault_id
  log_analytics_workspace_id = local.workspace_id

  enabled_log {
    category = "AuditEvent"
  }
}
