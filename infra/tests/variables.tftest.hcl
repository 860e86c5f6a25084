# What is refused before anything is planned.

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
  cluster = {
    server         = "https://aks.example.com:443"
    ca_certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
  }
}

run "a_name_that_is_no_host_name" {
  command = plan
  variables {
    name = "Kargo_Hooks"
  }
  expect_failures = [var.name]
}

run "a_base_url_with_a_query" {
  command = plan
  variables {
    base_url = "https://hooks.example.com/kargo?x=1"
  }
  expect_failures = [var.base_url]
}

run "a_base_path_that_azure_functions_keeps" {
  command = plan
  variables {
    base_url = "https://hooks.example.com/admin"
  }
  expect_failures = [var.base_url]
}

run "a_certificate_still_in_base64" {
  command = plan
  variables {
    cluster = { server = "https://aks.example.com:443", ca_certificate = "LS0tLS1CRUdJTi" }
  }
  expect_failures = [var.cluster]
}

run "azure_authorization_without_the_cluster" {
  command = plan
  variables {
    cluster = { server = "https://aks.example.com:443", ca_certificate = "-----BEGIN CERTIFICATE-----", authorization = "azure" }
  }
  expect_failures = [var.cluster]
}

run "a_provider_nobody_serves" {
  command = plan
  variables {
    receivers = { hub = { provider = "docker" } }
  }
  expect_failures = [var.receivers]
}

run "a_sender_that_does_not_tell_its_registry" {
  command = plan
  variables {
    receivers = { zot = { provider = "zot" } }
  }
  expect_failures = [var.receivers]
}

run "acr_is_no_key_of_kargo" {
  command = plan
  variables {
    receivers = { acr = { provider = "acr", configured_in = "cluster" } }
  }
  expect_failures = [var.receivers]
}

run "managed_in_the_cluster_but_configured_in_the_settings" {
  command = plan
  variables {
    receivers = { acr = { provider = "azure", manage_in_cluster = true } }
  }
  expect_failures = [var.receivers]
}

run "two_receivers_with_one_name" {
  command = plan
  variables {
    receivers = { a = { provider = "azure", name = "acr" }, b = { provider = "azure", name = "acr" } }
  }
  expect_failures = [var.receivers]
}

run "nothing_before_the_first_generation" {
  command = plan
  variables {
    receivers = { acr = { provider = "azure", accept_previous = true } }
  }
  expect_failures = [var.receivers]
}

run "a_secret_that_can_be_guessed" {
  command = plan
  variables {
    receivers        = { acr = { provider = "azure" } }
    receiver_secrets = { acr = "s" }
  }
  expect_failures = [var.receiver_secrets]
}

run "two_steps_of_a_rotation_at_once" {
  command = plan
  variables {
    receivers = { acr = { provider = "azure", generation = 2, accept_next = true, accept_previous = true } }
  }
  expect_failures = [var.receivers]
}

run "a_next_secret_that_is_empty" {
  command = plan
  variables {
    receivers             = { acr = { provider = "azure", accept_next = true } }
    receiver_secrets      = { acr = "sssssssssssssssssss" }
    next_receiver_secrets = { acr = "" }
  }
  expect_failures = [var.next_receiver_secrets]
}

run "a_previous_secret_that_is_empty" {
  command = plan
  variables {
    receivers                 = { acr = { provider = "azure", accept_previous = true } }
    receiver_secrets          = { acr = "sssssssssssssssssss" }
    previous_receiver_secrets = { acr = "" }
  }
  expect_failures = [var.previous_receiver_secrets]
}

run "a_previous_secret_that_can_be_guessed" {
  command = plan
  variables {
    receivers                 = { acr = { provider = "azure", accept_previous = true } }
    receiver_secrets          = { acr = "sssssssssssssssssss" }
    previous_receiver_secrets = { acr = "fifteen letters" }
  }
  expect_failures = [var.previous_receiver_secrets]
}

run "a_secret_of_ones_own_before_which_nothing_is_known" {
  command = plan
  variables {
    receivers        = { acr = { provider = "azure", generation = 2, accept_previous = true } }
    receiver_secrets = { acr = "sssssssssssssssssss" }
  }
  expect_failures = [var.receivers]
}

run "a_secret_without_a_receiver" {
  command = plan
  variables {
    receivers        = { acr = { provider = "azure" } }
    receiver_secrets = { arc = "sssssssssssssssssss" }
  }
  expect_failures = [var.receivers]
}

run "memory_that_flex_consumption_does_not_have" {
  command = plan
  variables {
    instance_memory_mb = 1024
  }
  expect_failures = [var.instance_memory_mb]
}

run "a_journal_elsewhere" {
  command = plan
  variables {
    journal = { store = "postgres" }
  }
  expect_failures = [var.journal]
}

run "an_address_without_its_range" {
  command = plan
  variables {
    allowed_ip_ranges = ["203.0.113.7"]
  }
  expect_failures = [var.allowed_ip_ranges]
}

run "more_instances_always_than_ever" {
  command = plan
  variables {
    always_ready_instances = { http = 2, "function:retries" = 1 }
    maximum_instances      = 2
  }
  expect_failures = [var.always_ready_instances]
}

run "a_trigger_group_that_does_not_exist" {
  command = plan
  variables {
    always_ready_instances = { queue = 1 }
  }
  expect_failures = [var.always_ready_instances]
}

run "an_update_strategy_that_does_not_exist" {
  command = plan
  variables {
    site_update_strategy = "Rolling"
  }
  expect_failures = [var.site_update_strategy]
}

run "administrators_at_private_addresses" {
  command = plan
  variables {
    network = { subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/network/subnets/app", administrator_ip_ranges = ["10.0.0.4"] }
  }
  expect_failures = [var.network]
}

run "event_grid_locked_out" {
  command = plan
  variables {
    allowed_ip_ranges = ["203.0.113.0/24"]
    receivers         = { acr = { provider = "azure" } }
    registries        = { shopregistry = { resource_group_name = "registries", location = "westeurope", sku = "Basic", event_grid = { receiver = "acr" } } }
  }
  expect_failures = [var.allowed_service_tags]
}

run "a_vault_name_that_azure_refuses" {
  command = plan
  variables {
    names = { key_vault = "kargo--hooks" }
  }
  expect_failures = [var.names]
}
