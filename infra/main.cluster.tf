# What the app may do in the cluster. The rules stand once, in the manifests of kubernetes/.

locals {
  cluster_role = yamldecode(file("${path.module}/kubernetes/base/cluster-role.yaml"))
  promotion_rules = (
    var.cluster.promotions ? yamldecode(file("${path.module}/kubernetes/promotions/cluster-role.yaml")).rules : []
  )
  secrets_role = yamldecode(file("${path.module}/kubernetes/secrets/role.yaml"))

  kubernetes_rbac = var.cluster.authorization == "kubernetes" ? 1 : 0
  azure_rbac      = var.cluster.authorization == "azure" ? 1 : 0

  # AKS knows a managed identity as a user whose name is the identity's object id.
  subject = var.cluster.authentication == "azure" ? {
    kind      = "User"
    api_group = "rbac.authorization.k8s.io"
    name      = azurerm_user_assigned_identity.this.principal_id
    namespace = null
    } : {
    kind      = "ServiceAccount"
    api_group = ""
    name      = var.cluster.service_account.name
    namespace = var.cluster.service_account.namespace
  }

  managed_projects = toset([for receiver in values(local.receivers_managed) : receiver.project if receiver.project != null])
  cluster_config   = anytrue([for receiver in values(local.receivers_managed) : receiver.project == null])
  webhook_receivers = {
    for key, receiver in local.receivers_managed : key => {
      name = receiver.name
      (receiver.provider) = merge(
        { for option, value in receiver.options : option => value if option != "actions" },
        try({ actions = jsondecode(receiver.options.actions) }, {}),
        { secretRef = { name = receiver.secret_name } },
      )
    }
  }
  # What each Kubernetes Secret holds. It stands here because nobody, no test either, can read a write-only argument.
  receiver_secret_data = {
    for key, receiver in local.receivers_managed : key => merge(
      { (local.providers[receiver.provider].data_key) = local.receiver_secret[key] },
      receiver.accept_previous || receiver.accept_next ? { "${local.providers[receiver.provider].data_key}-previous" = local.other_receiver_secret[key] } : {},
    )
  }
}

# --- Kubernetes RBAC -------------------------------------------------------------------------------------------------

resource "kubernetes_cluster_role_v1" "this" {
  count = local.kubernetes_rbac

  metadata {
    name = var.name
  }
  dynamic "rule" {
    for_each = concat(local.cluster_role.rules, local.promotion_rules)
    content {
      api_groups = rule.value.apiGroups
      resources  = rule.value.resources
      verbs      = rule.value.verbs
    }
  }
}

resource "kubernetes_cluster_role_binding_v1" "this" {
  count = local.kubernetes_rbac

  metadata {
    name = var.name
  }
  role_ref {
    api_group = "rbac.authorization.k8s.io"
    kind      = "ClusterRole"
    name      = kubernetes_cluster_role_v1.this[0].metadata[0].name
  }
  subject {
    kind      = local.subject.kind
    api_group = local.subject.api_group
    name      = local.subject.name
    namespace = local.subject.namespace
  }
}

resource "kubernetes_role_v1" "secrets" {
  for_each = local.kubernetes_rbac == 1 ? local.secret_namespaces : []

  metadata {
    name      = "${var.name}-secrets"
    namespace = each.value
  }
  dynamic "rule" {
    for_each = local.secrets_role.rules
    content {
      api_groups = rule.value.apiGroups
      resources  = rule.value.resources
      verbs      = rule.value.verbs
    }
  }
}

resource "kubernetes_role_binding_v1" "secrets" {
  for_each = kubernetes_role_v1.secrets

  metadata {
    name      = "${var.name}-secrets"
    namespace = each.key
  }
  role_ref {
    api_group = "rbac.authorization.k8s.io"
    kind      = "Role"
    name      = each.value.metadata[0].name
  }
  subject {
    kind      = local.subject.kind
    api_group = local.subject.api_group
    name      = local.subject.name
    namespace = local.subject.namespace
  }
}

# --- Azure RBAC for Kubernetes ---------------------------------------------------------------------------------------

# Azure knows custom resources by one action for all of them; the condition narrows it to Kargo's kinds (in preview, and only on
# clusters created with Azure RBAC). Where that is not enough use Kubernetes RBAC, which such a cluster honours as well.
# https://learn.microsoft.com/azure/aks/entra-id-authorization
resource "azurerm_role_definition" "kargo" {
  count = local.azure_rbac

  name        = "Kargo Receivers of ${var.name}"
  scope       = regex("^/subscriptions/[^/]+/resourceGroups/[^/]+", var.cluster.aks_id)
  description = "Read Kargo's configuration, refresh its Warehouses."

  permissions {
    data_actions = [
      "Microsoft.ContainerService/managedClusters/customresources/read",
      "Microsoft.ContainerService/managedClusters/customresources/write",
    ]
  }
}

resource "azurerm_role_assignment" "kargo" {
  count = local.azure_rbac

  scope              = var.cluster.aks_id
  role_definition_id = azurerm_role_definition.kargo[0].role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.this.principal_id
  principal_type     = "ServicePrincipal"
  condition_version  = "2.0"
  condition          = <<-TEXT
    (
      !(ActionMatches{'Microsoft.ContainerService/managedClusters/customresources/read'})
      OR
      (
        @Request[Microsoft.ContainerService/managedClusters/customResources:group] StringEqualsIgnoreCase 'kargo.akuity.io'
        AND
        @Request[Microsoft.ContainerService/managedClusters/customResources:kind] ForAnyOfAnyValues:StringEqualsIgnoreCase {'projectconfigs', 'clusterconfigs', 'warehouses'}
      )
    )
    AND
    (
      !(ActionMatches{'Microsoft.ContainerService/managedClusters/customresources/write'})
      OR
      (
        @Request[Microsoft.ContainerService/managedClusters/customResources:group] StringEqualsIgnoreCase 'kargo.akuity.io'
        AND
        @Request[Microsoft.ContainerService/managedClusters/customResources:kind] ForAnyOfAnyValues:StringEqualsIgnoreCase {'warehouses'}
      )
    )
  TEXT
}

resource "azurerm_role_definition" "secrets" {
  count = length(local.secret_namespaces) > 0 ? local.azure_rbac : 0

  name        = "Kargo Receivers Secrets of ${var.name}"
  scope       = regex("^/subscriptions/[^/]+/resourceGroups/[^/]+", var.cluster.aks_id)
  description = "Read the Secrets of a namespace."

  permissions {
    data_actions = ["Microsoft.ContainerService/managedClusters/secrets/read"]
  }
}

resource "azurerm_role_assignment" "secrets" {
  for_each = local.azure_rbac == 1 ? local.secret_namespaces : []

  scope              = "${var.cluster.aks_id}/namespaces/${each.value}"
  role_definition_id = azurerm_role_definition.secrets[0].role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.this.principal_id
  principal_type     = "ServicePrincipal"
}

# --- Receivers in the cluster ----------------------------------------------------------------------------------------

resource "kubernetes_secret_v1" "receiver" {
  for_each = local.receivers_managed

  metadata {
    name      = each.value.secret_name
    namespace = each.value.namespace
    labels    = { "kargo.akuity.io/cred-type" = "generic" } # so that Kargo shows it among the project's Secrets
  }
  type = "Opaque"

  data_wo          = local.receiver_secret_data[each.key]
  data_wo_revision = local.receiver_secret_version[each.key]
}

resource "kubernetes_manifest" "project_config" {
  for_each = local.managed_projects

  manifest = {
    apiVersion = "kargo.akuity.io/v1alpha1"
    kind       = "ProjectConfig"
    metadata   = { name = each.value, namespace = each.value }
    spec       = { webhookReceivers = [for key, receiver in local.receivers_managed : local.webhook_receivers[key] if receiver.project == each.value] }
  }
  depends_on = [kubernetes_secret_v1.receiver]
}

resource "kubernetes_manifest" "cluster_config" {
  count = local.cluster_config ? 1 : 0

  manifest = {
    apiVersion = "kargo.akuity.io/v1alpha1"
    kind       = "ClusterConfig"
    metadata   = { name = "cluster" }
    spec       = { webhookReceivers = [for key, receiver in local.receivers_managed : local.webhook_receivers[key] if receiver.project == null] }
  }
  depends_on = [kubernetes_secret_v1.receiver]
}

# What the app needs in the cluster to answer at all: its rights, and its receivers.
resource "terraform_data" "rights_in_cluster" {
  depends_on = [
    azurerm_role_assignment.kargo,
    azurerm_role_assignment.secrets,
    kubernetes_cluster_role_binding_v1.this,
    kubernetes_manifest.cluster_config,
    kubernetes_manifest.project_config,
    kubernetes_role_binding_v1.secrets,
    kubernetes_secret_v1.receiver,
  ]
}
