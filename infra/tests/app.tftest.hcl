# The app and the storage account it lives on.

mock_provider "azurerm" {
  source = "./tests/mocks"
}
mock_provider "kubernetes" {}
mock_provider "random" {}

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
    condition     = azurerm_service_plan.this.sku_name == "FC1" && azurerm_function_app_flex_consumption.this.runtime_name == "python" && azurerm_function_app_flex_consumption.this.runtime_version == "3.13"
    error_message = "not Python 3.13 on Flex Consumption"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this.https_only && azurerm_function_app_flex_consumption.this.webdeploy_publish_basic_authentication_enabled == false
    error_message = "plain HTTP or passwords for publishing are allowed"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this.site_config[0].minimum_tls_version == "1.2" && azurerm_function_app_flex_consumption.this.site_config[0].scm_minimum_tls_version == "1.2"
    error_message = "TLS below 1.2 is allowed"
  }
  assert {
    condition     = [for group in azurerm_function_app_flex_consumption.this.always_ready : "${group.name}=${group.instance_count}"] == ["http=1"] && azurerm_function_app_flex_consumption.this.http_concurrency == 64
    error_message = "one instance shall always be ready for http"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this.site_config[0].ip_restriction_default_action == "Allow" && length(azurerm_function_app_flex_consumption.this.site_config[0].ip_restriction) == 0
    error_message = "senders are anywhere by default"
  }
}

run "no_key_opens_the_storage_account" {
  assert {
    condition     = azurerm_storage_account.this.shared_access_key_enabled == false && azurerm_storage_account.this.allow_nested_items_to_be_public == false && azurerm_storage_account.this.min_tls_version == "TLS1_2"
    error_message = "the storage account can be opened by key, anonymously or without TLS 1.2"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this.storage_authentication_type == "UserAssignedIdentity" && azurerm_function_app_flex_consumption.this.storage_access_key == null
    error_message = "the package is not read with the identity"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this.app_settings["AzureWebJobsStorage"] == "" && azurerm_function_app_flex_consumption.this.app_settings["AzureWebJobsStorage__credential"] == "managedidentity"
    error_message = "the host does not use the identity"
  }
  assert {
    condition     = toset(keys(azurerm_storage_queue.this)) == toset(["refreshes", "refreshes-poison"])
    error_message = "the retry queue and its poison queue are missing"
  }
}

run "network_integration_closes_storage_and_vault" {
  variables {
    network = {
      subnet_id               = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/network/subnets/app"
      administrator_ip_ranges = ["203.0.113.7"]
    }
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this.virtual_network_subnet_id == var.network.subnet_id
    error_message = "the app is not in the subnet"
  }
  assert {
    condition     = azurerm_storage_account.this.network_rules[0].default_action == "Deny" && azurerm_key_vault.this.network_acls[0].default_action == "Deny"
    error_message = "storage account or vault are open to other networks"
  }
}

run "who_may_call_and_deploy_can_be_restricted" {
  variables {
    allowed_ip_ranges    = ["203.0.113.0/24"]
    allowed_service_tags = ["AzureEventGrid"]
    deployment_ip_ranges = ["198.51.100.0/24"]
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this.site_config[0].ip_restriction_default_action == "Deny" && length(azurerm_function_app_flex_consumption.this.site_config[0].ip_restriction) == 2
    error_message = "anybody may call"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this.site_config[0].scm_ip_restriction_default_action == "Deny" && length(azurerm_function_app_flex_consumption.this.site_config[0].scm_ip_restriction) == 1
    error_message = "anybody may deploy"
  }
}

run "own_settings_are_added_but_replace_none" {
  variables {
    app_settings = { ANSWER_BUDGET_SECONDS = "3", JOURNAL = "none" }
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this.app_settings["ANSWER_BUDGET_SECONDS"] == "3" && azurerm_function_app_flex_consumption.this.app_settings["JOURNAL"] == "table"
    error_message = "own settings are lost, or replace the module's"
  }
}
