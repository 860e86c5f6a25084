# What the app may do in the cluster, and what is created there.

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
}

run "the_least_rights_and_no_secrets" {
  assert {
    condition = [for rule in kubernetes_cluster_role_v1.this[0].rule : { groups = rule.api_groups, resources = rule.resources, verbs = rule.verbs }] == [
      { groups = tolist(["kargo.akuity.io"]), resources = tolist(["projectconfigs", "clusterconfigs"]), verbs = tolist(["get", "list", "watch"]) },
      { groups = tolist(["kargo.akuity.io"]), resources = tolist(["warehouses"]), verbs = tolist(["get", "list", "watch", "patch"]) },
    ]
    error_message = "the ClusterRole has other rules than these two"
  }
  assert {
    condition     = one(kubernetes_cluster_role_binding_v1.this[0].subject).kind == "User" && one(kubernetes_cluster_role_binding_v1.this[0].subject).name == azurerm_user_assigned_identity.this.principal_id
    error_message = "the role is not bound to the app's identity"
  }
  assert {
    condition     = length(kubernetes_role_v1.secrets) == 0 && local.site_settings["READ_SECRETS"] == "false"
    error_message = "without receivers in the cluster no Secret may be read, and the app must know it"
  }
}

run "promotions_on_request" {
  variables {
    cluster = {
      server         = "https://aks.example.com:443"
      ca_certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
      promotions     = true
    }
  }
  assert {
    condition = slice([for rule in kubernetes_cluster_role_v1.this[0].rule : { resources = rule.resources, verbs = rule.verbs }], 2, 4) == [
      { resources = tolist(["promotions"]), verbs = tolist(["get", "list", "watch", "patch"]) },
      { resources = tolist(["stages"]), verbs = tolist(["promote"]) },
    ]
    error_message = "Promotions cannot be refreshed, or more than they can"
  }
}

run "promotions_are_no_role_of_azure" {
  command = plan
  variables {
    cluster = {
      server         = "https://aks.example.com:443"
      ca_certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
      authorization  = "azure"
      aks_id         = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks"
      promotions     = true
    }
  }
  expect_failures = [var.cluster]
}

run "secrets_in_the_named_namespaces_only" {
  variables {
    cluster = {
      server            = "https://aks.example.com:443"
      ca_certificate    = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
      secret_namespaces = ["team-a"]
    }
    receivers = {
      shop = { provider = "azure", project = "shop", configured_in = "cluster" }
      all  = { provider = "quay", configured_in = "cluster" }
      own  = { provider = "azure", project = "elsewhere" }
    }
  }
  assert {
    condition     = toset(keys(kubernetes_role_v1.secrets)) == toset(["team-a", "shop", "kargo-system-resources"])
    error_message = "Secrets may be read in other namespaces than those of receivers in the cluster and those named"
  }
  assert {
    condition     = alltrue([for role in kubernetes_role_v1.secrets : [for rule in role.rule : [rule.resources, rule.verbs]] == [[toset(["secrets"]), toset(["get"])]]])
    error_message = "more than get on Secrets"
  }
  assert {
    condition     = alltrue([for namespace, binding in kubernetes_role_binding_v1.secrets : binding.metadata[0].namespace == namespace && one(binding.role_ref).kind == "Role"])
    error_message = "a role reaches beyond its namespace"
  }
  assert {
    condition     = local.site_settings["READ_SECRETS"] == "true"
    error_message = "the app does not know that it may read Secrets"
  }
  assert {
    condition     = length(kubernetes_secret_v1.receiver) == 0 && keys(azurerm_key_vault_secret.receiver_in_cluster) == ["all", "shop"]
    error_message = "an unmanaged receiver is created in the cluster, or its secret is not in the vault"
  }
  assert {
    condition     = [for entry in jsondecode(local.receivers_document) : entry.name] == ["own"]
    error_message = "a receiver of the cluster stands in the settings"
  }
}

run "receivers_of_every_provider_in_the_cluster" {
  variables {
    receivers = {
      harbor = { provider = "harbor", project = "shop", configured_in = "cluster", manage_in_cluster = true, accept_next = true }
      art    = { provider = "artifactory", project = "shop", configured_in = "cluster", manage_in_cluster = true, options = { virtualRepoName = "docker" } }
      ci     = { provider = "generic", project = "shop", configured_in = "cluster", manage_in_cluster = true, options = { actions = jsonencode([{ action = "Refresh", targetSelectionCriteria = [{ kind = "Warehouse", name = "app" }] }]) } }
      own    = { provider = "artifactory", options = { authentication = "secret" } }
    }
  }
  assert {
    condition = kubernetes_manifest.project_config["shop"].manifest.spec.webhookReceivers == [
      { name = "art", artifactory = { virtualRepoName = "docker", secretRef = { name = "kargo-receivers-art" } } },
      { name = "ci", generic = { actions = [{ action = "Refresh", targetSelectionCriteria = [{ kind = "Warehouse", name = "app" }] }], secretRef = { name = "kargo-receivers-ci" } } },
      { name = "harbor", harbor = { secretRef = { name = "kargo-receivers-harbor" } } },
    ]
    error_message = "the ProjectConfig does not hold the receivers with their options"
  }
  assert {
    condition     = [for entry in jsondecode(local.receivers_document) : "${entry.name} ${entry.authentication}"] == ["own secret"]
    error_message = "an option does not reach the settings"
  }
  assert {
    condition     = { for key, data in local.receiver_secret_data : key => join(" ", keys(data)) } == { harbor = "auth-header auth-header-previous", art = "secret-token", ci = "secret" }
    error_message = "a Secret does not have its value where Kargo looks for it"
  }
}

run "receivers_managed_in_the_cluster" {
  variables {
    receivers = {
      shop = { provider = "azure", project = "shop", configured_in = "cluster", manage_in_cluster = true }
      hub  = { provider = "dockerhub", project = "shop", configured_in = "cluster", manage_in_cluster = true, secret_name = "hub" }
      all  = { provider = "quay", configured_in = "cluster", manage_in_cluster = true, generation = 2, accept_previous = true }
    }
  }
  assert {
    condition     = { for key, secret in kubernetes_secret_v1.receiver : key => "${secret.metadata[0].namespace}/${secret.metadata[0].name}" } == { shop = "shop/kargo-receivers-shop", hub = "shop/hub", all = "kargo-system-resources/kargo-receivers-all" }
    error_message = "the Secrets are not where Kargo looks for them"
  }
  assert {
    condition     = { for key, data in local.receiver_secret_data : key => join(" ", keys(data)) } == { shop = "secret", hub = "secret", all = "secret secret-previous" }
    error_message = "a Secret has other data keys than the receivers need"
  }
  assert {
    condition     = alltrue([for secret in kubernetes_secret_v1.receiver : secret.data_wo == null && secret.data_wo_revision > 0])
    error_message = "a Secret's data stands in the state"
  }
  assert {
    condition = kubernetes_manifest.project_config["shop"].manifest.spec.webhookReceivers == [
      { name = "hub", dockerhub = { secretRef = { name = "hub" } } },
      { name = "shop", azure = { secretRef = { name = "kargo-receivers-shop" } } },
    ]
    error_message = "the ProjectConfig does not name the project's receivers"
  }
  assert {
    condition     = kubernetes_manifest.cluster_config[0].manifest.spec.webhookReceivers == [{ name = "all", quay = { secretRef = { name = "kargo-receivers-all" } } }]
    error_message = "the ClusterConfig does not name the receiver of all projects"
  }
}

run "a_token_goes_into_the_vault" {
  variables {
    cluster = {
      server         = "https://kind.example.com:6443"
      ca_certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
      authentication = "token"
    }
    cluster_token = "eyJhbGciOiJSUzI1NiJ9.canary"
  }
  assert {
    condition     = local.site_settings["CLUSTER_TOKEN"] == "@Microsoft.KeyVault(SecretUri=${azurerm_key_vault_secret.cluster_token[0].id})"
    error_message = "CLUSTER_TOKEN is not a reference to Key Vault"
  }
  assert {
    condition     = azurerm_key_vault_secret.cluster_token[0].value == null && keys(azurerm_role_assignment.app_reads_secret) == ["cluster-token", "pages-key"]
    error_message = "the token stands in the state, or the app cannot read it"
  }
  assert {
    condition     = one(kubernetes_cluster_role_binding_v1.this[0].subject).kind == "ServiceAccount" && one(kubernetes_cluster_role_binding_v1.this[0].subject).namespace == "kargo-receivers"
    error_message = "the role is not bound to the ServiceAccount"
  }
}

run "a_token_must_be_given" {
  command = plan
  variables {
    cluster = {
      server         = "https://kind.example.com:6443"
      ca_certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
      authentication = "token"
    }
  }
  expect_failures = [azurerm_key_vault_secret.cluster_token]
}

run "rights_by_azure_rbac" {
  variables {
    cluster = {
      server            = "https://aks.example.com:443"
      ca_certificate    = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
      authorization     = "azure"
      aks_id            = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/aks/providers/Microsoft.ContainerService/managedClusters/aks"
      secret_namespaces = ["shop"]
    }
  }
  assert {
    condition     = length(kubernetes_cluster_role_v1.this) + length(kubernetes_role_v1.secrets) == 0
    error_message = "Kubernetes roles are made as well"
  }
  assert {
    condition     = azurerm_role_assignment.kargo[0].scope == var.cluster.aks_id && strcontains(azurerm_role_assignment.kargo[0].condition, "kargo.akuity.io")
    error_message = "the role is not narrowed to Kargo's kinds on this cluster"
  }
  assert {
    condition     = flatten(regexall("StringEqualsIgnoreCase \\{([^}]*)\\}", azurerm_role_assignment.kargo[0].condition)) == ["'projectconfigs', 'clusterconfigs', 'warehouses'", "'warehouses'"]
    error_message = "other kinds may be read or written than the ClusterRole names"
  }
  assert {
    condition     = { for namespace, role in azurerm_role_assignment.secrets : namespace => role.scope } == { shop = "${var.cluster.aks_id}/namespaces/shop" } && azurerm_role_definition.secrets[0].permissions[0].data_actions == toset(["Microsoft.ContainerService/managedClusters/secrets/read"])
    error_message = "more than reading the Secrets of the named namespace"
  }
}

run "rights_given_by_hand" {
  variables {
    cluster = {
      server         = "https://aks.example.com:443"
      ca_certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
      authorization  = "none"
    }
  }
  assert {
    condition     = length(kubernetes_cluster_role_v1.this) + length(kubernetes_cluster_role_binding_v1.this) + length(azurerm_role_assignment.kargo) == 0
    error_message = "rights are given although authorization is none"
  }
}
