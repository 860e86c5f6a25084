# The secret of a receiver makes its URL, so it is a credential. Each stands in Key Vault; the app gets those of the
# receivers in its settings by reference, and reads those of the receivers in the cluster from the cluster.
#
# What is in the state all the same: the generated secrets and the pages' key (as random_password), and the URLs of webhooks and Event Grid
# subscriptions, which Azure must be told. A secret of your own is in no state, but like every variable in a saved plan.
# Keep the state where you would keep the secrets.

data "azurerm_client_config" "current" {}

locals {
  # What the app serves, and the data key under which Kargo looks for each one's secret. Written by `make providers`.
  providers = jsondecode(file("${path.module}/providers.json"))

  key_vault_id = var.existing.key_vault_id == null ? azurerm_key_vault.this[0].id : var.existing.key_vault_id
  # A vault of your own may hold other people's secrets.
  secret_prefix = var.existing.key_vault_id == null ? "" : "${var.name}-"

  # One entry for each secret to generate: "<receiver>-<generation>". During a rotation there are two of a receiver.
  generated_secrets = toset(flatten([
    for key, receiver in var.receivers : [
      for generation in concat(
        receiver.accept_previous ? [receiver.generation - 1] : [],
        [receiver.generation],
        receiver.accept_next ? [receiver.generation + 1] : [],
      ) : "${key}-${generation}"
    ] if !contains(nonsensitive(keys(var.receiver_secrets)), key)
  ]))

  # The secret that makes the URL which registries are told.
  receiver_secret = {
    for key, receiver in var.receivers : key => try(var.receiver_secrets[key], random_password.receiver["${key}-${receiver.generation}"].result)
  }
  # The other one that is accepted while a rotation goes on.
  other_receiver_secret = merge(
    {
      for key, receiver in var.receivers : key => try(var.previous_receiver_secrets[key], random_password.receiver["${key}-${receiver.generation - 1}"].result)
      if receiver.accept_previous
    },
    {
      for key, receiver in var.receivers : key => try(var.next_receiver_secrets[key], random_password.receiver["${key}-${receiver.generation + 1}"].result)
      if receiver.accept_next
    },
  )

  # Kargo's rule for a receiver's path, and the service's: no separators, and no project for a receiver of all projects.
  receiver_url = {
    for key, receiver in local.receivers : key => format("%s/%s/%s", local.base_url, receiver.provider,
    sha256("${receiver.project == null ? "" : receiver.project}${receiver.name}${local.receiver_secret[key]}"))
  }

  # What the setting RECEIVERS holds. The newer of two secrets comes first whichever of them makes the URL: so the document stays what
  # it is when registries are told the new URL, and the app is not restarted just then.
  receivers_document = jsonencode([
    for key, receiver in local.receivers_in_settings : {
      for field, value in merge(receiver.options, {
        provider       = receiver.provider
        name           = receiver.name
        project        = receiver.project
        registry       = receiver.registry
        secret         = receiver.accept_next ? local.other_receiver_secret[key] : local.receiver_secret[key]
        previousSecret = receiver.accept_next ? local.receiver_secret[key] : lookup(local.other_receiver_secret, key, null)
      }) : field => value if value != null
    }
  ])

  # A write-only value is written when its version changes. 28 bits of a hash: enough to notice a change, of no use to
  # guess the value.
  receivers_document_version = parseint(substr(sha256(local.receivers_document), 0, 7), 16)
  receiver_secret_version = {
    for key, secret in local.receiver_secret : key =>
    parseint(substr(sha256("${secret}${lookup(local.other_receiver_secret, key, "")}"), 0, 7), 16)
  }
  # Of what is accepted, whichever of two secrets makes the URL.
  accepted_secrets_version = parseint(substr(sha256(jsonencode({
    for key, secret in local.receiver_secret : key => sort(compact([secret, lookup(local.other_receiver_secret, key, "")]))
  })), 0, 7), 16)
}

resource "random_password" "receiver" {
  for_each = local.generated_secrets

  length  = 43 # letters and digits: 256 bits
  special = false
}

resource "azurerm_key_vault" "this" {
  # One, if there is none of yours; said so that checkov cannot take it for none.
  count = length([for id in [var.existing.key_vault_id] : "made" if id == null])

  name                = local.key_vault_name
  resource_group_name = var.resource_group_name
  location            = var.location
  tenant_id           = data.azurerm_client_config.current.tenant_id
  sku_name            = "standard"
  tags                = var.tags

  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = var.private_endpoints == null # which networks is said below

  network_acls {
    bypass                     = "AzureServices"
    default_action             = var.network == null ? "Allow" : "Deny"
    virtual_network_subnet_ids = var.network == null ? [] : [var.network.subnet_id]
    ip_rules                   = local.administrator_addresses
  }
}

resource "azurerm_role_assignment" "deployer_writes_secrets" {
  count = var.grant_vault_access_to_deployer ? 1 : 0

  scope                = local.key_vault_id
  role_definition_name = "Key Vault Secrets Officer"
  principal_id         = data.azurerm_client_config.current.object_id
}

resource "azurerm_key_vault_secret" "receivers" {
  count = length(local.receivers_in_settings) > 0 ? 1 : 0

  name             = "${local.secret_prefix}receivers"
  key_vault_id     = local.key_vault_id
  content_type     = "application/json"
  value_wo         = local.receivers_document
  value_wo_version = local.receivers_document_version

  depends_on = [azurerm_private_endpoint.this, time_sleep.vault_is_writable]
}

# Kept for whoever creates the Kubernetes Secret: this module, External Secrets, or a person.
resource "azurerm_key_vault_secret" "receiver_in_cluster" {
  for_each = local.receivers_in_cluster

  name             = "${local.secret_prefix}receiver-${each.key}"
  key_vault_id     = local.key_vault_id
  content_type     = "text/plain"
  value_wo         = local.receiver_secret[each.key]
  value_wo_version = parseint(substr(sha256(local.receiver_secret[each.key]), 0, 7), 16)

  depends_on = [azurerm_private_endpoint.this, time_sleep.vault_is_writable]
}

# What goes under the key `<data key>-previous` of that Kubernetes Secret, while there is such a one.
resource "azurerm_key_vault_secret" "other_receiver_in_cluster" {
  for_each = { for key, receiver in local.receivers_in_cluster : key => receiver if receiver.accept_previous || receiver.accept_next }

  name             = "${local.secret_prefix}receiver-${each.key}-previous"
  key_vault_id     = local.key_vault_id
  content_type     = "text/plain"
  value_wo         = local.other_receiver_secret[each.key]
  value_wo_version = parseint(substr(sha256(local.other_receiver_secret[each.key]), 0, 7), 16)

  depends_on = [azurerm_private_endpoint.this, time_sleep.vault_is_writable]
}

resource "random_password" "pages_key" {
  count = var.pages ? 1 : 0

  length  = 43
  special = false
}

resource "azurerm_key_vault_secret" "pages_key" {
  count = var.pages ? 1 : 0

  name             = "${local.secret_prefix}pages-key"
  key_vault_id     = local.key_vault_id
  content_type     = "text/plain"
  value_wo         = random_password.pages_key[0].result
  value_wo_version = parseint(substr(sha256(random_password.pages_key[0].result), 0, 7), 16)

  depends_on = [azurerm_private_endpoint.this, time_sleep.vault_is_writable]
}

resource "azurerm_key_vault_secret" "cluster_token" {
  count = var.cluster.authentication == "token" ? 1 : 0

  name             = "${local.secret_prefix}cluster-token"
  key_vault_id     = local.key_vault_id
  content_type     = "text/plain"
  value_wo         = var.cluster_token
  value_wo_version = var.cluster_token_version

  depends_on = [azurerm_private_endpoint.this, time_sleep.vault_is_writable]

  lifecycle {
    precondition {
      condition     = coalesce(nonsensitive(var.cluster_token), "-") != "-"
      error_message = "cluster.authentication = token needs cluster_token."
    }
  }
}

# As time_sleep.roles, for whoever runs Terraform.
resource "time_sleep" "vault_is_writable" {
  count = var.grant_vault_access_to_deployer ? 1 : 0

  create_duration = "120s"
  triggers        = { role = azurerm_role_assignment.deployer_writes_secrets[0].id }
}

# After a change of what the app accepts, instances with the old settings answer for a moment. Registries are told nothing new before that
# has passed. A rotation in the order of docs/deploy-azure.md does not depend on it.
resource "time_sleep" "secrets_are_known" {
  create_duration = "120s"
  triggers        = { accepted = tostring(local.accepted_secrets_version) }

  depends_on = [azapi_resource.site, kubernetes_secret_v1.receiver]
}
