# Who is told when something is wrong.

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
    acr = { provider = "azure", project = "shop" }
  }
}

run "nobody_is_told_unless_somebody_is_named" {
  assert {
    condition     = length(azurerm_monitor_action_group.this) + length(azurerm_monitor_scheduled_query_rules_alert_v2.this) + length(azurerm_application_insights_standard_web_test.ready) + length(azurerm_monitor_metric_alert.ready) == 0
    error_message = "there are rules that tell nobody"
  }
}

run "an_address_is_enough" {
  variables {
    alerts            = { email_addresses = ["kargo@example.com"] }
    allowed_ip_ranges = ["203.0.113.0/24"]
  }
  assert {
    condition     = keys(azurerm_monitor_scheduled_query_rules_alert_v2.this) == ["dropped", "failed", "poisoned", "queued", "refused", "silent", "slow", "unread", "waiting"] && length(azurerm_monitor_metric_alert.ready) == 1
    error_message = "not the rules of docs/operations.md"
  }
  assert {
    condition     = alltrue([for rule in azurerm_monitor_scheduled_query_rules_alert_v2.this : rule.scopes == tolist([azurerm_application_insights.this[0].id]) && rule.action[0].action_groups == tolist([azurerm_monitor_action_group.this[0].id]) && rule.criteria[0].threshold == 0])
    error_message = "a rule asks elsewhere, tells somebody else, or needs more than a row"
  }
  assert {
    condition     = [for rule in azapi_resource.site.body.properties.siteConfig.ipSecurityRestrictions : rule.ipAddress] == ["203.0.113.0/24", "ApplicationInsightsAvailability"]
    error_message = "the probe is locked out"
  }
}

run "groups_of_ones_own_and_a_choice_of_rules" {
  variables {
    alerts = { action_group_ids = ["/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Insights/actionGroups/oncall"], metrics = true, probe = false, disabled = ["silent", "slow"] }
  }
  assert {
    condition     = keys(azurerm_monitor_scheduled_query_rules_alert_v2.this) == ["acting", "dropped", "failed", "poisoned", "queued", "refused", "stale", "unread", "waiting"] && length(azurerm_monitor_action_group.this) + length(azurerm_monitor_metric_alert.ready) == 0
    error_message = "not these rules, or a group or a probe that nobody asked for"
  }
  assert {
    condition     = alltrue([for rule in azurerm_monitor_scheduled_query_rules_alert_v2.this : rule.action[0].action_groups == tolist(var.alerts.action_group_ids)])
    error_message = "somebody else is told"
  }
}

run "no_probe_of_what_the_internet_cannot_reach" {
  variables {
    alerts                = { email_addresses = ["kargo@example.com"] }
    public_network_access = false
  }
  assert {
    condition     = length(azurerm_application_insights_standard_web_test.ready) == 0 && azapi_resource.site.body.properties.publicNetworkAccess == "Disabled"
    error_message = "a probe that must fail, or an app that is open"
  }
}

run "a_rule_that_does_not_exist" {
  command = plan
  variables {
    alerts = { email_addresses = ["kargo@example.com"], disabled = ["poison"] }
  }
  expect_failures = [var.alerts]
}

run "alerts_without_a_log" {
  command = plan
  variables {
    alerts    = { email_addresses = ["kargo@example.com"] }
    telemetry = { enabled = false }
  }
  expect_failures = [var.alerts]
}
