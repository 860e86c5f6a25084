# What is refused before anything is planned.

mock_provider "azurerm" {
  source = "./tests/mocks"
}
mock_provider "kubernetes" {}
mock_provider "random" {}

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

run "a_base_url_with_a_path" {
  command = plan
  variables {
    base_url = "https://hooks.example.com/kargo"
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
  expect_failures = [var.receiver_secrets]
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
