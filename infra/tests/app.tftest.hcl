# The app itself: its identity, its rights, its settings, its secrets.

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

run "the_identity_has_these_roles_and_no_other" {
  assert {
    condition = { for key, role in azurerm_role_assignment.storage : key => role.role_definition_name } == {
      blob = "Storage Blob Data Owner", queue = "Storage Queue Data Contributor", table = "Storage Table Data Contributor"
    }
    error_message = "the roles on the storage account are not these three"
  }
  assert {
    condition     = alltrue([for role in azurerm_role_assignment.storage : role.scope == azurerm_storage_account.this.id && role.principal_id == azurerm_user_assigned_identity.this.principal_id])
    error_message = "a storage role reaches beyond the account or is somebody else's"
  }
  assert {
    condition     = one(azurerm_role_assignment.telemetry[*].role_definition_name) == "Monitoring Metrics Publisher" && one(azurerm_role_assignment.telemetry[*].scope) == azurerm_application_insights.this[0].id
    error_message = "the identity cannot send telemetry"
  }
  assert {
    condition     = keys(azurerm_role_assignment.app_reads_secret) == ["receivers"] && alltrue([for role in azurerm_role_assignment.app_reads_secret : role.role_definition_name == "Key Vault Secrets User" && endswith(role.scope, "/secrets/secret")])
    error_message = "the app may read other secrets than those it refers to"
  }
  assert {
    condition     = length(azurerm_role_assignment.kargo) + length(azurerm_role_assignment.secrets) + length(azurerm_role_assignment.dead_letters) + length(azurerm_cosmosdb_sql_role_assignment.journal) == 0
    error_message = "a role is assigned that nothing asked for"
  }
}

run "secrets_are_references_to_the_vault" {
  assert {
    condition     = azurerm_function_app_flex_consumption.this.app_settings["RECEIVERS"] == "@Microsoft.KeyVault(SecretUri=${azurerm_key_vault_secret.receivers[0].id})"
    error_message = "RECEIVERS is not a reference to Key Vault"
  }
  assert {
    condition     = alltrue([for value in values(azurerm_function_app_flex_consumption.this.app_settings) : !anytrue([for secret in random_password.receiver : strcontains(value, secret.result)])])
    error_message = "a secret stands in a plain setting"
  }
  assert {
    condition     = azurerm_key_vault.this.rbac_authorization_enabled && azurerm_key_vault.this.purge_protection_enabled
    error_message = "the vault is without RBAC or purge protection"
  }
  assert {
    condition     = azurerm_key_vault_secret.receivers[0].value == null && length(random_password.receiver) == 1 && random_password.receiver["acr-1"].length == 43
    error_message = "the vault's secret stands in the state, or is not generated"
  }
}

run "the_url_follows_kargos_rule" {
  assert {
    condition     = output.receiver_urls == { acr = "https://kargo-hooks.azurewebsites.net/azure/${sha256("shopacr${random_password.receiver["acr-1"].result}")}" }
    error_message = "the URL is not /azure/sha256(project + name + secret)"
  }
}

run "a_receiver_of_all_projects_hashes_no_project" {
  variables {
    base_url         = "https://hooks.example.com"
    receivers        = { "dh-1" = { provider = "dockerhub", name = "r" } }
    receiver_secrets = { "dh-1" = "sssssssssssssssssss" }
  }
  assert {
    condition     = output.receiver_urls == { "dh-1" = "https://hooks.example.com/dockerhub/${sha256("rsssssssssssssssssss")}" }
    error_message = "not sha256(name + secret) under the base URL"
  }
  assert {
    condition     = length(random_password.receiver) == 0 && azurerm_function_app_flex_consumption.this.app_settings["EXTERNAL_WEBHOOK_SERVER_BASE_URL"] == "https://hooks.example.com"
    error_message = "a secret was generated beside the given one, or the base URL is not the given one"
  }
}

run "a_rotation_begins_with_both_secrets_accepted" {
  variables {
    receivers = { acr = { provider = "azure", project = "shop", generation = 2, accept_previous = true } }
  }
  assert {
    condition     = keys(random_password.receiver) == ["acr-1", "acr-2"]
    error_message = "the previous secret is gone"
  }
  assert {
    condition     = [for entry in jsondecode(local.receivers_document) : [entry.secret, entry.previousSecret]] == [[random_password.receiver["acr-2"].result, random_password.receiver["acr-1"].result]]
    error_message = "the app does not accept both"
  }
  assert {
    condition     = endswith(output.receiver_urls["acr"], sha256("shopacr${random_password.receiver["acr-2"].result}"))
    error_message = "the URL is not the new one"
  }
}

run "a_rotation_ends_with_the_new_secret_alone" {
  variables {
    receivers = { acr = { provider = "azure", project = "shop", generation = 2 } }
  }
  assert {
    condition     = keys(random_password.receiver) == ["acr-2"] && !can(jsondecode(local.receivers_document)[0].previousSecret)
    error_message = "the previous secret is still accepted"
  }
}

run "without_receivers_in_the_settings_there_is_no_such_setting" {
  variables {
    receivers = {}
  }
  assert {
    condition     = !contains(keys(azurerm_function_app_flex_consumption.this.app_settings), "RECEIVERS") && length(azurerm_key_vault_secret.receivers) == 0 && length(azurerm_role_assignment.app_reads_secret) == 0
    error_message = "RECEIVERS is set, or the app may read a secret that does not exist"
  }
}

run "telemetry_off" {
  variables {
    telemetry = { enabled = false }
  }
  assert {
    condition     = length(azurerm_application_insights.this) + length(azurerm_log_analytics_workspace.this) + length(azurerm_role_assignment.telemetry) + length(azurerm_monitor_diagnostic_setting.app) + length(azurerm_monitor_diagnostic_setting.vault) == 0
    error_message = "something of telemetry is left"
  }
  assert {
    condition     = !contains(keys(azurerm_function_app_flex_consumption.this.app_settings), "APPLICATIONINSIGHTS_AUTHENTICATION_STRING")
    error_message = "a setting of telemetry is left"
  }
}

run "no_request_url_reaches_the_workspace_by_diagnostics" {
  assert {
    condition     = length(azurerm_monitor_diagnostic_setting.app[0].enabled_log) == 0
    error_message = "the app's log categories repeat request paths"
  }
  assert {
    condition     = azurerm_application_insights.this[0].local_authentication_enabled == false
    error_message = "whoever knows the connection string can write telemetry"
  }
}

run "journal_in_a_table" {
  assert {
    condition     = azurerm_function_app_flex_consumption.this.app_settings["JOURNAL"] == "table" && length(azurerm_resource_group_template_deployment.tables) == 1 && length(azurerm_cosmosdb_account.journal) == 0
    error_message = "the journal is not in a table"
  }
}

run "journal_off" {
  variables {
    journal = { store = "none" }
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this.app_settings["JOURNAL"] == "none" && length(azurerm_resource_group_template_deployment.tables) == 0 && length(azurerm_cosmosdb_account.journal) == 0
    error_message = "there is a journal"
  }
}

run "journal_in_cosmos" {
  variables {
    journal = { store = "cosmos", days = 7 }
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this.app_settings["JOURNAL"] == "cosmos" && azurerm_function_app_flex_consumption.this.app_settings["COSMOS_ENDPOINT"] == azurerm_cosmosdb_account.journal[0].endpoint
    error_message = "the app does not know the account"
  }
  assert {
    condition     = azurerm_cosmosdb_account.journal[0].local_authentication_enabled == false && azurerm_cosmosdb_sql_container.journal[0].partition_key_paths == tolist(["/id"]) && azurerm_cosmosdb_sql_container.journal[0].default_ttl == 604800
    error_message = "keys are on, or the container is not as the app expects it"
  }
  assert {
    condition     = endswith(azurerm_cosmosdb_sql_role_assignment.journal[0].scope, "/dbs/acr/colls/pushes") && endswith(azurerm_cosmosdb_sql_role_assignment.journal[0].role_definition_id, "0002")
    error_message = "the identity may do more than write this container, or less"
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
