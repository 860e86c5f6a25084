# The app and the storage account it lives on.

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

run "the_app_is_python_on_flex_consumption_and_closed_where_it_can_be" {
  assert {
    condition     = azurerm_service_plan.this.sku_name == "FC1" && azapi_resource.site.body.properties.serverFarmId == azurerm_service_plan.this.id && azapi_resource.site.body.properties.functionAppConfig.runtime == { name = "python", version = "3.13" }
    error_message = "not Python 3.13 on Flex Consumption"
  }
  assert {
    condition     = azapi_resource.site.body.properties.httpsOnly && { for name, policy in azapi_update_resource.no_publishing_passwords : name => policy.body.properties.allow } == { ftp = false, scm = false }
    error_message = "plain HTTP or passwords for publishing are allowed"
  }
  assert {
    condition     = azapi_resource.site.body.properties.siteConfig.minTlsVersion == "1.2" && azapi_resource.site.body.properties.siteConfig.scmMinTlsVersion == "1.2"
    error_message = "TLS below 1.2 is allowed"
  }
  assert {
    condition     = [for group in azapi_resource.site.body.properties.functionAppConfig.scaleAndConcurrency.alwaysReady : "${group.name}=${group.instanceCount}"] == ["http=1"] && azapi_resource.site.body.properties.functionAppConfig.scaleAndConcurrency.triggers.http.perInstanceConcurrency == 64
    error_message = "one instance shall always be ready for http"
  }
  assert {
    condition     = azapi_resource.site.body.properties.siteConfig.ipSecurityRestrictionsDefaultAction == "Allow" && azapi_resource.site.body.properties.siteConfig.ipSecurityRestrictions == null && azapi_resource.site.body.properties.siteConfig.scmIpSecurityRestrictionsDefaultAction == "Allow" && azapi_resource.site.body.properties.siteConfig.scmIpSecurityRestrictions == null
    error_message = "senders are anywhere by default"
  }
  assert {
    condition     = azapi_resource.site.body.properties.functionAppConfig.siteUpdateStrategy.type == "Recreate"
    error_message = "the platform replaces instances in another way than is said"
  }
}

run "one_identity_does_everything" {
  assert {
    condition     = azapi_resource.site.identity[0].type == "UserAssigned" && azapi_resource.site.identity[0].identity_ids == tolist([azurerm_user_assigned_identity.this.id])
    error_message = "the site has another identity than the one"
  }
  assert {
    condition     = azapi_resource.site.body.properties.keyVaultReferenceIdentity == azurerm_user_assigned_identity.this.id && azapi_resource.site.body.properties.functionAppConfig.deployment.storage.authentication == { type = "UserAssignedIdentity", userAssignedIdentityResourceId = azurerm_user_assigned_identity.this.id }
    error_message = "secrets or package are read with another identity"
  }
  assert {
    condition     = local.site_settings["AzureWebJobsStorage__clientId"] == azurerm_user_assigned_identity.this.client_id && local.site_settings["AZURE_CLIENT_ID"] == azurerm_user_assigned_identity.this.client_id
    error_message = "storage or cluster are reached with another identity"
  }
}

run "nothing_in_the_settings_opens_storage_without_the_identity" {
  assert {
    condition     = { for setting in azapi_resource.site.body.properties.siteConfig.appSettings : setting.name => setting.value } == nonsensitive(local.site_settings)
    error_message = "the site has other settings than the module's"
  }
  assert {
    condition = [for name in keys(local.site_settings) : name if startswith(lower(name), "azurewebjobsstorage")] == [
      "AzureWebJobsStorage__blobServiceUri", "AzureWebJobsStorage__clientId", "AzureWebJobsStorage__credential", "AzureWebJobsStorage__queueServiceUri", "AzureWebJobsStorage__tableServiceUri",
    ]
    error_message = "the queue trigger would take AzureWebJobsStorage for a connection string"
  }
  assert {
    condition     = length(setintersection(keys(local.site_settings), ["FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION", "WEBSITE_RUN_FROM_PACKAGE", "SCM_DO_BUILD_DURING_DEPLOYMENT"])) == 0
    error_message = "a setting that Flex Consumption does not have"
  }
}

run "an_update_in_batches" {
  variables {
    site_update_strategy = "RollingUpdate"
  }
  assert {
    condition     = azapi_resource.site.body.properties.functionAppConfig.siteUpdateStrategy.type == "RollingUpdate"
    error_message = "the strategy is lost"
  }
}

run "no_key_opens_the_storage_account" {
  assert {
    condition     = azurerm_storage_account.this[0].shared_access_key_enabled == false && azurerm_storage_account.this[0].allow_nested_items_to_be_public == false && azurerm_storage_account.this[0].min_tls_version == "TLS1_2"
    error_message = "the storage account can be opened by key, anonymously or without TLS 1.2"
  }
  assert {
    condition     = local.site_settings["AzureWebJobsStorage__credential"] == "managedidentity"
    error_message = "the host does not use the identity"
  }
  assert {
    condition     = toset(keys(azurerm_storage_queue.this)) == toset(["refreshes", "refreshes-parked", "refreshes-poison", "searches"])
    error_message = "the retry queue, or what belongs to it, is missing"
  }
}

run "network_integration_closes_storage_and_vault" {
  variables {
    network = {
      subnet_id               = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/network/subnets/app"
      administrator_ip_ranges = ["203.0.113.7", "203.0.113.9/32", "198.51.100.0/31", "192.0.2.0/24"]
    }
  }
  assert {
    condition     = azapi_resource.site.body.properties.virtualNetworkSubnetId == var.network.subnet_id
    error_message = "the app is not in the subnet"
  }
  assert {
    condition     = azurerm_storage_account.this[0].network_rules[0].default_action == "Deny" && azurerm_key_vault.this[0].network_acls[0].default_action == "Deny"
    error_message = "storage account or vault are open to other networks"
  }
  assert {
    condition     = azurerm_storage_account.this[0].network_rules[0].ip_rules == toset(["203.0.113.7", "203.0.113.9", "198.51.100.0", "198.51.100.1", "192.0.2.0/24"]) && azurerm_key_vault.this[0].network_acls[0].ip_rules == azurerm_storage_account.this[0].network_rules[0].ip_rules
    error_message = "the storage account refuses one of the administrators' ranges"
  }
}

run "who_may_call_and_deploy_can_be_restricted" {
  variables {
    allowed_ip_ranges    = ["203.0.113.0/24"]
    allowed_service_tags = ["AzureEventGrid"]
    deployment_ip_ranges = ["198.51.100.0/24"]
  }
  assert {
    condition     = azapi_resource.site.body.properties.siteConfig.ipSecurityRestrictionsDefaultAction == "Deny" && [for rule in azapi_resource.site.body.properties.siteConfig.ipSecurityRestrictions : "${rule.priority} ${rule.action} ${rule.tag} ${rule.ipAddress}"] == ["100 Allow Default 203.0.113.0/24", "1000 Allow ServiceTag AzureEventGrid"]
    error_message = "anybody may call"
  }
  assert {
    condition     = azapi_resource.site.body.properties.siteConfig.scmIpSecurityRestrictionsDefaultAction == "Deny" && [for rule in azapi_resource.site.body.properties.siteConfig.scmIpSecurityRestrictions : rule.ipAddress] == ["198.51.100.0/24"]
    error_message = "anybody may deploy"
  }
}

run "the_host_is_the_sites_own_unless_one_is_given" {
  assert {
    condition     = output.base_url == "https://${azapi_resource.site.output.properties.defaultHostName}" && !contains(keys(local.site_settings), "EXTERNAL_WEBHOOK_SERVER_BASE_URL")
    error_message = "the host is guessed"
  }
}

run "own_settings_are_added_but_replace_none" {
  variables {
    app_settings = { ANSWER_BUDGET_SECONDS = "3", JOURNAL = "none" }
  }
  assert {
    condition     = local.site_settings["ANSWER_BUDGET_SECONDS"] == "3" && local.site_settings["JOURNAL"] == "table"
    error_message = "own settings are lost, or replace the module's"
  }
}
