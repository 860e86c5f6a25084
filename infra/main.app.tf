# The Function App. By azapi, because azurerm's resource for Flex Consumption adds a storage setting of its own, shows a change in every
# plan and restarts the app at every apply, and cannot say how the app is updated.
# https://github.com/hashicorp/terraform-provider-azurerm/issues/29149, 29693, 30732, 33211

locals {
  # Kept in the site itself, not in sites/config: the app never starts without them, and a change of several is one restart.
  app_settings = merge(
    {
      # The host, the queue trigger and the app find storage by these. There is no AzureWebJobsStorage in any form: the queue
      # trigger takes whatever it finds under that name, even an empty text, for a connection string.
      # https://github.com/Azure/azure-functions-host/issues/11787
      AzureWebJobsStorage__blobServiceUri  = trimsuffix(local.storage.blob, "/")
      AzureWebJobsStorage__queueServiceUri = trimsuffix(local.storage.queue, "/")
      AzureWebJobsStorage__tableServiceUri = trimsuffix(local.storage.table, "/")
      AzureWebJobsStorage__credential      = "managedidentity"
      AzureWebJobsStorage__clientId        = azurerm_user_assigned_identity.this.client_id
      AzureWebJobsDisableHomepage          = "true"

      CLUSTER_AUTHENTICATION     = var.cluster.authentication
      CLUSTER_SERVER             = var.cluster.server
      CLUSTER_CA                 = base64encode(var.cluster.ca_certificate)
      AZURE_CLIENT_ID            = azurerm_user_assigned_identity.this.client_id
      SYSTEM_RESOURCES_NAMESPACE = var.cluster.system_resources_namespace
      READ_SECRETS               = tostring(length(local.secret_namespaces) > 0)
      JOURNAL                    = var.journal.store
      JOURNAL_DAYS               = tostring(var.journal.days)
    },
    # Without it the app shows URLs under the host it is visited at, which is the site's own.
    var.base_url != null ? {
      EXTERNAL_WEBHOOK_SERVER_BASE_URL = var.base_url
    } : {},
    # In place of the prefix in host.json, which is empty.
    local.base_path != "" ? {
      AzureFunctionsJobHost__extensions__http__routePrefix = local.base_path
    } : {},
    # With the version in the reference a changed secret is a changed setting, which the app sees at once. Without it the
    # platform may keep the old value for a day.
    length(local.receivers_in_settings) > 0 ? {
      RECEIVERS = "@Microsoft.KeyVault(SecretUri=${azurerm_key_vault_secret.receivers[0].id})"
    } : {},
    var.cluster.authentication == "token" ? {
      CLUSTER_TOKEN = "@Microsoft.KeyVault(SecretUri=${azurerm_key_vault_secret.cluster_token[0].id})"
    } : {},
    var.pages ? {
      PAGES_KEY = "@Microsoft.KeyVault(SecretUri=${azurerm_key_vault_secret.pages_key[0].id})"
    } : {},
    var.telemetry.enabled ? {
      APPLICATIONINSIGHTS_CONNECTION_STRING     = azurerm_application_insights.this[0].connection_string
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "ClientId=${azurerm_user_assigned_identity.this.client_id};Authorization=AAD"
    } : {},
    var.journal.store == "cosmos" ? {
      COSMOS_ENDPOINT  = azurerm_cosmosdb_account.journal[0].endpoint
      COSMOS_DATABASE  = var.journal.cosmos_database
      COSMOS_CONTAINER = var.journal.cosmos_container
    } : {},
  )

  site_settings = merge(var.app_settings, local.app_settings)

  # Whoever is named locks everybody else out; the probe shall not be.
  allowed_service_tags = distinct(concat(
    var.allowed_service_tags,
    local.probing && length(var.allowed_service_tags) + length(var.allowed_ip_ranges) > 0 ? ["ApplicationInsightsAvailability"] : [],
  ))

  callers = concat(
    [for index, range in var.allowed_ip_ranges : { name = "allowed-range-${index}", priority = 100 + index, ipAddress = range, tag = "Default", action = "Allow" }],
    [for index, service in local.allowed_service_tags : { name = "allowed-service-${index}", priority = 1000 + index, ipAddress = service, tag = "ServiceTag", action = "Allow" }],
  )
  deployers = [
    for index, range in var.deployment_ip_ranges : { name = "deployment-range-${index}", priority = 100 + index, ipAddress = range, tag = "Default", action = "Allow" }
  ]

  # Azure allows one operation at a time on a site.
  site_is_busy = ["another operation is in progress", "Cannot acquire exclusive lock"]
}

resource "azurerm_service_plan" "this" {
  name                = coalesce(var.names.service_plan, var.name)
  resource_group_name = var.resource_group_name
  location            = var.location
  os_type             = "Linux"
  sku_name            = "FC1"
  tags                = var.tags
}

resource "azapi_resource" "site" {
  type      = "Microsoft.Web/sites@2025-05-01"
  name      = var.name
  parent_id = local.resource_group_id
  location  = var.location
  tags      = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.this.id]
  }

  body = {
    kind = "functionapp,linux"
    properties = {
      serverFarmId              = azurerm_service_plan.this.id
      httpsOnly                 = true
      keyVaultReferenceIdentity = azurerm_user_assigned_identity.this.id
      publicNetworkAccess       = var.public_network_access ? "Enabled" : "Disabled"
      virtualNetworkSubnetId    = var.network == null ? null : var.network.subnet_id

      functionAppConfig = {
        deployment = {
          storage = {
            type  = "blobContainer"
            value = "${local.storage.blob}${azurerm_storage_container.package.name}"
            authentication = {
              type                           = "UserAssignedIdentity"
              userAssignedIdentityResourceId = azurerm_user_assigned_identity.this.id
            }
          }
        }
        runtime = { name = "python", version = "3.13" }
        scaleAndConcurrency = {
          alwaysReady          = [for name, count in var.always_ready_instances : { name = name, instanceCount = count }]
          instanceMemoryMB     = var.instance_memory_mb
          maximumInstanceCount = var.maximum_instances
          triggers             = { http = { perInstanceConcurrency = var.http_concurrency } }
        }
        siteUpdateStrategy = { type = var.site_update_strategy }
      }

      # An empty list would be a change in every plan, and rules that are left over do no harm: the default action is always said.
      siteConfig = {
        minTlsVersion                          = "1.2"
        scmMinTlsVersion                       = "1.2"
        ipSecurityRestrictions                 = length(local.callers) > 0 ? local.callers : null
        ipSecurityRestrictionsDefaultAction    = length(local.callers) > 0 ? "Deny" : "Allow"
        scmIpSecurityRestrictions              = length(local.deployers) > 0 ? local.deployers : null
        scmIpSecurityRestrictionsDefaultAction = length(local.deployers) > 0 ? "Deny" : "Allow"
        scmIpSecurityRestrictionsUseMain       = false
        appSettings                            = [for name, value in local.site_settings : { name = name, value = value }]
      }
    }
  }

  # siteUpdateStrategy is of 2025-05-01, which azapi 2.12 cannot check. This module's own checks know it.
  schema_validation_enabled = false
  # Azure answers with names in other letters, and without what was null; neither is a change.
  ignore_casing              = true
  ignore_null_property       = true
  ignore_other_items_in_list = ["properties.siteConfig.ipSecurityRestrictions", "properties.siteConfig.scmIpSecurityRestrictions"]
  response_export_values     = ["properties.defaultHostName"]
  retry                      = { error_message_regex = local.site_is_busy }

  # It starts when created, and must be able to open its storage and to read its secrets then.
  depends_on = [azurerm_private_endpoint.this, time_sleep.roles]

  lifecycle {
    # The portal adds them. Taking them away would be an update, and so a restart.
    ignore_changes = [
      tags["hidden-link: /app-insights-resource-id"],
      tags["hidden-link: /app-insights-instrumentation-key"],
      tags["hidden-link: /app-insights-conn-string"],
    ]
  }
}

# No passwords for publishing. These exist with the site, so they are updated, not created.
resource "azapi_update_resource" "no_publishing_passwords" {
  for_each = toset(["ftp", "scm"])

  type                   = "Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01"
  parent_id              = azapi_resource.site.id
  name                   = each.value
  body                   = { properties = { allow = false } }
  response_export_values = []
  retry                  = { error_message_regex = local.site_is_busy }
}

# The name that Azure gave the site when it was created. It never changes, but a plan that changes the site does not know that:
# kept here, no URL made of it looks new then.
resource "terraform_data" "default_host_name" {
  input            = azapi_resource.site.output.properties.defaultHostName
  triggers_replace = [var.name]

  lifecycle {
    ignore_changes = [input]
  }
}

resource "terraform_data" "package" {
  count = var.package == null ? 0 : 1

  triggers_replace = [azapi_resource.site.id, filesha256(var.package)]

  provisioner "local-exec" {
    command = "\"${abspath("${path.module}/../scripts/deploy")}\" --subscription \"${data.azurerm_client_config.current.subscription_id}\" \"${var.name}\" \"${var.resource_group_name}\" \"${abspath(var.package)}\""
  }

  # It waits until the app is ready, for which the app must find its receivers in the cluster.
  depends_on = [azapi_update_resource.no_publishing_passwords, terraform_data.rights_in_cluster]
}
