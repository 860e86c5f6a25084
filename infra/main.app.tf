locals {
  app_settings = merge(
    {
      # The provider adds a connection string without a key under this name, and the host would prefer it to the identity
      # below. Empty counts as absent. Since the provider does not read it back, every plan shows this one line.
      # https://github.com/hashicorp/terraform-provider-azurerm/issues/29693
      AzureWebJobsStorage                  = ""
      AzureWebJobsStorage__blobServiceUri  = trimsuffix(azurerm_storage_account.this.primary_blob_endpoint, "/")
      AzureWebJobsStorage__queueServiceUri = trimsuffix(azurerm_storage_account.this.primary_queue_endpoint, "/")
      AzureWebJobsStorage__tableServiceUri = trimsuffix(azurerm_storage_account.this.primary_table_endpoint, "/")
      AzureWebJobsStorage__credential      = "managedidentity"
      AzureWebJobsStorage__clientId        = azurerm_user_assigned_identity.this.client_id
      AzureWebJobsDisableHomepage          = "true"

      CLUSTER_AUTHENTICATION           = var.cluster.authentication
      CLUSTER_SERVER                   = var.cluster.server
      CLUSTER_CA                       = base64encode(var.cluster.ca_certificate)
      AZURE_CLIENT_ID                  = azurerm_user_assigned_identity.this.client_id
      EXTERNAL_WEBHOOK_SERVER_BASE_URL = local.base_url
      SYSTEM_RESOURCES_NAMESPACE       = var.cluster.system_resources_namespace
      READ_SECRETS                     = tostring(length(local.secret_namespaces) > 0)
      JOURNAL                          = var.journal.store
      JOURNAL_DAYS                     = tostring(var.journal.days)
    },
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
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "ClientId=${azurerm_user_assigned_identity.this.client_id};Authorization=AAD"
    } : {},
    var.journal.store == "cosmos" ? {
      COSMOS_ENDPOINT  = azurerm_cosmosdb_account.journal[0].endpoint
      COSMOS_DATABASE  = var.journal.cosmos_database
      COSMOS_CONTAINER = var.journal.cosmos_container
    } : {},
  )
}

resource "azurerm_service_plan" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  os_type             = "Linux"
  sku_name            = "FC1"
  tags                = var.tags
}

resource "azurerm_function_app_flex_consumption" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  service_plan_id     = azurerm_service_plan.this.id
  tags                = var.tags

  runtime_name    = "python"
  runtime_version = "3.13"

  storage_container_type            = "blobContainer"
  storage_container_endpoint        = "${azurerm_storage_account.this.primary_blob_endpoint}${azurerm_storage_container.package.name}"
  storage_authentication_type       = "UserAssignedIdentity"
  storage_user_assigned_identity_id = azurerm_user_assigned_identity.this.id

  instance_memory_in_mb  = var.instance_memory_mb
  maximum_instance_count = var.maximum_instances
  http_concurrency       = var.http_concurrency

  dynamic "always_ready" {
    for_each = var.always_ready_instances
    content {
      name           = always_ready.key
      instance_count = always_ready.value
    }
  }

  https_only                                     = true
  public_network_access_enabled                  = true # who is said below
  webdeploy_publish_basic_authentication_enabled = false
  virtual_network_subnet_id                      = var.network == null ? null : var.network.subnet_id

  identity {
    type         = "SystemAssigned, UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.this.id]
  }

  app_settings = merge(var.app_settings, local.app_settings)

  site_config {
    application_insights_connection_string = one(azurerm_application_insights.this[*].connection_string)
    http2_enabled                          = true
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"
    ip_restriction_default_action          = length(var.allowed_ip_ranges) + length(var.allowed_service_tags) > 0 ? "Deny" : "Allow"
    scm_ip_restriction_default_action      = length(var.deployment_ip_ranges) > 0 ? "Deny" : "Allow"
    scm_use_main_ip_restriction            = false

    dynamic "ip_restriction" {
      for_each = var.allowed_ip_ranges
      content {
        name       = "allowed-range-${ip_restriction.key}"
        priority   = 100 + ip_restriction.key
        ip_address = ip_restriction.value
        action     = "Allow"
      }
    }
    dynamic "ip_restriction" {
      for_each = var.allowed_service_tags
      content {
        name        = "allowed-service-${ip_restriction.key}"
        priority    = 1000 + ip_restriction.key
        service_tag = ip_restriction.value
        action      = "Allow"
      }
    }
    dynamic "scm_ip_restriction" {
      for_each = var.deployment_ip_ranges
      content {
        name       = "deployment-range-${scm_ip_restriction.key}"
        priority   = 100 + scm_ip_restriction.key
        ip_address = scm_ip_restriction.value
        action     = "Allow"
      }
    }
  }

  # It starts when created, and must be able to open its storage then.
  depends_on = [azurerm_role_assignment.storage]
}

# The references to Key Vault could not be resolved before the role above them existed, hence the first command.
resource "terraform_data" "package" {
  count = var.package == null ? 0 : 1

  triggers_replace = [azurerm_function_app_flex_consumption.this.id, filesha256(var.package)]

  provisioner "local-exec" {
    command = join(" && ", [
      "az rest --method post --url \"https://management.azure.com${azurerm_function_app_flex_consumption.this.id}/config/configreferences/appsettings/refresh?api-version=2022-03-01\"",
      "az functionapp deploy --resource-group ${var.resource_group_name} --name ${var.name} --type zip --src-path \"${var.package}\"",
    ])
  }

  depends_on = [azurerm_role_assignment.app_reads_secret]
}
