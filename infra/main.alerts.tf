# Who is told when. The rules are those of docs/operations.md, which says what to do then; their queries stand in alerts/.

locals {
  # Severity: 1 somebody acts now, 2 today, 3 in the morning. Frequency and window as Azure has them, and no others.
  alert_rules = {
    poisoned = { severity = 1, every = "PT5M", window = "PT15M", text = "A delivery was given up, or a queued message cannot be read." }
    failed   = { severity = 1, every = "PT5M", window = "PT5M", text = "A delivery was neither refreshed nor queued; the sender may not come again." }
    unread   = { severity = 1, every = "PT5M", window = "PT15M", text = "Nobody takes up what waits in the retry queue: its trigger does not listen." }
    queued   = { severity = 2, every = "PT15M", window = "PT15M", text = "Deliveries are being queued for more than ten minutes: the cluster is away or slow." }
    waiting  = { severity = 2, every = "PT15M", window = "PT15M", text = "A delivery is at its fourth try or beyond: the cluster is there, and refuses it." }
    refused  = { severity = 2, every = "PT5M", window = "PT5M", text = "Many requests with unknown URLs, or malformed or unauthenticated ones." }
    dropped  = { severity = 2, every = "PT15M", window = "PT15M", text = "Rows of the journal were dropped: its store is away or refuses them." }
    slow     = { severity = 3, every = "PT15M", window = "PT15M", text = "The 99th percentile of the answer is above 1.5 s: deliveries will be queued next." }
    silent   = { severity = 3, every = "PT1H", window = "P2D", text = "No delivery of a provider for a day that had some the day before." }
    stale    = { severity = 3, every = "PT15M", window = "PT15M", text = "What is known of the cluster is older than two minutes, or the oldest due message of the retry queue than 15." }
    acting   = { severity = 3, every = "PT15M", window = "PT1H", text = "Kargo acts on refreshes only after more than a minute." }
  }
  # What only a collector of OpenTelemetry writes, see docs/operations.md.
  alert_rules_of_metrics = ["stale", "acting"]

  alerting = var.telemetry.enabled && length(var.alerts.email_addresses) + length(var.alerts.action_group_ids) > 0
  alerts = local.alerting ? {
    for name, rule in local.alert_rules : name => rule
    if !contains(var.alerts.disabled, name) && (var.alerts.metrics || !contains(local.alert_rules_of_metrics, name))
  } : {}
  # The probe comes from Azure's own addresses over the internet.
  probing = local.alerting && var.alerts.probe && var.public_network_access

  action_group_ids = concat(azurerm_monitor_action_group.this[*].id, tolist(var.alerts.action_group_ids))
}

resource "azurerm_monitor_action_group" "this" {
  count = local.alerting && length(var.alerts.email_addresses) > 0 ? 1 : 0

  name                = var.name
  resource_group_name = var.resource_group_name
  short_name          = "kargo-hooks"
  tags                = var.tags

  dynamic "email_receiver" {
    for_each = var.alerts.email_addresses
    content {
      name                    = email_receiver.value
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "this" {
  for_each = local.alerts

  name                 = "${var.name}-${each.key}"
  description          = "${each.value.text} What to do: docs/operations.md."
  resource_group_name  = var.resource_group_name
  location             = var.location
  scopes               = [azurerm_application_insights.this[0].id]
  severity             = each.value.severity
  evaluation_frequency = each.value.every
  window_duration      = each.value.window
  tags                 = var.tags

  auto_mitigation_enabled = true
  skip_query_validation   = true # a new component has no tables yet

  criteria {
    query                   = file("${path.module}/alerts/${each.key}.kql")
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0
  }
  action {
    action_groups = local.action_group_ids
  }
}

# /readyz says 503 while receivers and Warehouses are not known. Two places ask every ten minutes, and both must find it so.
resource "azurerm_application_insights_standard_web_test" "ready" {
  count = local.probing ? 1 : 0

  name                    = "${var.name}-ready"
  resource_group_name     = var.resource_group_name
  location                = var.location
  application_insights_id = azurerm_application_insights.this[0].id
  geo_locations           = ["emea-nl-ams-azr", "us-va-ash-azr"]
  frequency               = 600
  timeout                 = 30
  retry_enabled           = true
  tags                    = var.tags

  request {
    url = "${local.base_url}/readyz"
  }
  validation_rules {
    expected_status_code        = 200
    ssl_check_enabled           = true
    ssl_cert_remaining_lifetime = 7
  }
}

resource "azurerm_monitor_metric_alert" "ready" {
  count = local.probing ? 1 : 0

  name                = "${var.name}-ready"
  description         = "The app is not ready, or not there, for ten minutes. /readyz says what is missing. What to do: docs/operations.md."
  resource_group_name = var.resource_group_name
  scopes              = [azurerm_application_insights_standard_web_test.ready[0].id, azurerm_application_insights.this[0].id]
  severity            = 1
  frequency           = "PT5M"
  window_size         = "PT15M"
  tags                = var.tags

  application_insights_web_test_location_availability_criteria {
    web_test_id           = azurerm_application_insights_standard_web_test.ready[0].id
    component_id          = azurerm_application_insights.this[0].id
    failed_location_count = 2
  }
  dynamic "action" {
    for_each = local.action_group_ids
    content {
      action_group_id = action.value
    }
  }
}
