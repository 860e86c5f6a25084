variable "name" {
  description = "Name of the Function App, and so of its host: `<name>.azurewebsites.net`. Unique in all of Azure. Everything else is named after it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name: 3 to 32 lower-case letters, digits and hyphens; a letter first, no hyphen last. Longer names can collide in the Functions host."
  }
}

variable "resource_group_name" {
  description = "Resource group, existing, for everything this module creates."
  type        = string
}

variable "location" {
  description = "Azure region, one that has Flex Consumption (`az functionapp list-flexconsumption-locations`)."
  type        = string
}

variable "names" {
  description = "Names by a convention of your own, where those made from `name` are not it. Those of storage account, vault and Cosmos DB account must be unique in all of Azure."
  type = object({
    application_insights = optional(string)
    cosmos_account       = optional(string)
    identity             = optional(string)
    key_vault            = optional(string)
    service_plan         = optional(string)
    storage_account      = optional(string)
    workspace            = optional(string)
  })
  default = {}

  validation {
    condition     = var.names.key_vault == null || can(regex("^[a-zA-Z](-?[0-9a-zA-Z])*$", var.names.key_vault)) && try(length(var.names.key_vault), 0) >= 3 && try(length(var.names.key_vault), 25) <= 24
    error_message = "names.key_vault: 3 to 24 letters, digits and single hyphens; a letter first, no hyphen last."
  }
  validation {
    condition     = var.names.storage_account == null || can(regex("^[a-z0-9]{3,24}$", var.names.storage_account))
    error_message = "names.storage_account: 3 to 24 lower-case letters and digits."
  }
}

variable "existing" {
  description = <<-TEXT
    What you have already and shall be used, by resource id, in place of one made here.
    `workspace_id`: a Log Analytics workspace.
    `key_vault_id`: a vault with Azure RBAC. Names of secrets then begin with `name`; who may reach it, and its log, are yours.
    `storage_account_id`: a storage account, for this app alone (queues, tables and containers have fixed names), in this subscription; its keys may be off, and who may reach it is yours.
  TEXT
  type = object({
    workspace_id       = optional(string)
    key_vault_id       = optional(string)
    storage_account_id = optional(string)
  })
  default = {}

  validation {
    condition     = var.existing.workspace_id == null || can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.OperationalInsights/workspaces/[^/]+$", var.existing.workspace_id))
    error_message = "existing.workspace_id: /subscriptions/…/resourceGroups/…/providers/Microsoft.OperationalInsights/workspaces/…"
  }
  validation {
    condition     = var.existing.key_vault_id == null || can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.KeyVault/vaults/[^/]+$", var.existing.key_vault_id))
    error_message = "existing.key_vault_id: /subscriptions/…/resourceGroups/…/providers/Microsoft.KeyVault/vaults/…"
  }
  validation {
    condition     = var.existing.storage_account_id == null || can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Storage/storageAccounts/[^/]+$", var.existing.storage_account_id))
    error_message = "existing.storage_account_id: /subscriptions/…/resourceGroups/…/providers/Microsoft.Storage/storageAccounts/…"
  }
}

variable "tags" {
  description = "Tags on every resource that can have them."
  type        = map(string)
  default     = {}
}

variable "base_url" {
  description = "URL under which senders reach the app, if not under the host that Azure gives it: a custom domain or a gateway. Must be what Kargo is configured with, its base path included (`https://kargo.example.com/webhooks`), under which the app then serves everything."
  type        = string
  default     = null

  validation {
    condition     = var.base_url == null || can(regex("^https://[^/?#]+(/[A-Za-z0-9._~-]+)*$", var.base_url))
    error_message = "base_url: https://, a host, and a path if there is one, without a slash at its end."
  }
  validation {
    condition     = !can(regex("^https://[^/]+/(?i:admin|runtime)(/|$)", var.base_url))
    error_message = "base_url: Azure Functions keeps paths that begin with admin or runtime for itself."
  }
}

variable "app_settings" {
  description = "Further settings of the application, such as `ANSWER_BUDGET_SECONDS`. What the module sets itself cannot be changed here."
  type        = map(string)
  default     = {}
}

variable "package" {
  description = "Path of the zip that `make package` built. Given: each apply that finds it changed deploys it with the Azure CLI, and Event Grid can be registered in the same apply. Not given: deploy with `make deploy`."
  type        = string
  default     = null
}

# --- Scale -----------------------------------------------------------------------------------------------------------

variable "instance_memory_mb" {
  description = "Memory of one instance: 512, 2048 or 4096. The service needs about 120 MB; the processor share grows with the memory."
  type        = number
  default     = 512

  validation {
    condition     = contains([512, 2048, 4096], var.instance_memory_mb)
    error_message = "instance_memory_mb: 512, 2048 or 4096 are what Flex Consumption has."
  }
}

variable "always_ready_instances" {
  description = "Instances that always run, by trigger group: `http`, or `function:retries` for the retry queue. One for `http` by default: a registry waits a few seconds and does not ask again, and a cold start can take longer. Set `{}` to save its cost."
  type        = map(number)
  default     = { http = 1 }

  validation {
    condition     = alltrue([for count in values(var.always_ready_instances) : count >= 0 && floor(count) == count])
    error_message = "always_ready_instances: whole numbers, 0 or more."
  }
  validation {
    condition     = sum(concat([0], values(var.always_ready_instances))) <= var.maximum_instances
    error_message = "always_ready_instances: more than maximum_instances together."
  }
  validation {
    condition     = alltrue([for group in keys(var.always_ready_instances) : can(regex("^(http|blob|durable|function:[A-Za-z0-9_-]+)$", group))])
    error_message = "always_ready_instances: a trigger group is http, or function: and a function's name."
  }
}

variable "maximum_instances" {
  description = "The app never runs on more instances than this. Each keeps its own watch on the cluster."
  type        = number
  default     = 10

  validation {
    condition     = var.maximum_instances >= 1 && var.maximum_instances <= 1000
    error_message = "maximum_instances: 1 to 1000."
  }
}

variable "http_concurrency" {
  description = "Requests that one instance works on at a time before another is started. The platform's own value for Python is 1, which would start an instance for nearly every request of a burst."
  type        = number
  default     = 64

  validation {
    condition     = var.http_concurrency >= 1 && var.http_concurrency <= 1000
    error_message = "http_concurrency: 1 to 1000."
  }
}

variable "site_update_strategy" {
  description = <<-TEXT
    How the platform replaces instances when settings or package change.
    `Recreate`: all are stopped and started anew, for some seconds nobody answers. A registry's webhook that comes just then is lost, since it is posted once; Event Grid comes again.
    `RollingUpdate`: in batches, the old ones drain first; a preview, and with one instance there is still a short gap. It counts from the next update on.
  TEXT
  type        = string
  default     = "Recreate"

  validation {
    condition     = contains(["Recreate", "RollingUpdate"], var.site_update_strategy)
    error_message = "site_update_strategy: Recreate or RollingUpdate."
  }
}

# --- Network ---------------------------------------------------------------------------------------------------------

variable "network" {
  description = <<-TEXT
    Network integration. Without it the app reaches the cluster over the internet, and storage account and vault accept any network (still only authorised identities).
    `subnet_id`: a subnet delegated to `Microsoft.App/environments`, with the service endpoints `Microsoft.Storage` and `Microsoft.KeyVault` (and `Microsoft.AzureCosmosDB` for a Cosmos journal).
    `administrator_ip_ranges`: who besides the subnet reaches the vault and the storage account, the machine that runs Terraform first of all.
  TEXT
  type = object({
    subnet_id               = string
    administrator_ip_ranges = optional(set(string), [])
  })
  default = null

  validation {
    condition = alltrue([
      for range in try(var.network.administrator_ip_ranges, []) : can(cidrhost(strcontains(range, "/") ? range : "${range}/32", 0)) &&
      !can(regex("^(10\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.)", range))
    ])
    error_message = "network.administrator_ip_ranges: public addresses or ranges in CIDR notation, such as 203.0.113.7 or 203.0.113.0/24."
  }
}

variable "private_endpoints" {
  description = <<-TEXT
    Private endpoints for the vault, the storage account (blob, queue, table), the Cosmos DB account if there is one, and the app; public access to all but the app is off then (for the app see `public_network_access`). Needs `network`. Terraform must run where it reaches the vault through its endpoint. Of what is `existing` nothing is made.
    `subnet_id`: a subnet for the endpoints, another than that of `network`.
    `dns_zone_ids`: private DNS zones by `vault`, `blob`, `queue`, `table`, `sql`, `site`. Those left out are somebody else's to register, such as a policy's.
  TEXT
  type = object({
    subnet_id    = string
    dns_zone_ids = optional(map(string), {})
  })
  default = null

  validation {
    condition     = var.private_endpoints == null || var.network != null
    error_message = "private_endpoints: the app reaches them only with network."
  }
  validation {
    condition     = length(setsubtract(keys(try(var.private_endpoints.dns_zone_ids, {})), ["vault", "blob", "queue", "table", "sql", "site"])) == 0
    error_message = "private_endpoints.dns_zone_ids: vault, blob, queue, table, sql, site."
  }
}

variable "public_network_access" {
  description = "Whether the app can be reached from the internet, by whom the next variables allow. `false`: only through a private endpoint, which a gateway in your network uses; no registry outside of it reaches the app then."
  type        = bool
  default     = true
}

variable "allowed_ip_ranges" {
  description = "Who may call the app, in CIDR notation. Empty, with `allowed_service_tags` empty: anybody; a receiver's URL is the credential."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.allowed_ip_ranges : can(cidrhost(range, 0))])
    error_message = "allowed_ip_ranges: CIDR notation, such as 203.0.113.0/24."
  }
}

variable "allowed_service_tags" {
  description = "Azure services that may call the app, by service tag, such as `AzureEventGrid`. Name your own addresses in `allowed_ip_ranges` beside it, or you see no page and `make deploy` does not see whether the app is ready."
  type        = list(string)
  default     = []

  validation {
    condition = (
      length(var.allowed_service_tags) + length(var.allowed_ip_ranges) == 0 ||
      alltrue([for registry in values(var.registries) : registry.event_grid == null]) ||
      length(setintersection(var.allowed_service_tags, ["AzureEventGrid", "AzureCloud"])) > 0
    )
    error_message = "allowed_service_tags: Event Grid could not reach the app; add AzureEventGrid."
  }
}

variable "deployment_ip_ranges" {
  description = "Who may reach the deployment endpoint, in CIDR notation. Empty: anybody with the right to deploy."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.deployment_ip_ranges : can(cidrhost(range, 0))])
    error_message = "deployment_ip_ranges: CIDR notation, such as 203.0.113.0/24."
  }
}

# --- Cluster ---------------------------------------------------------------------------------------------------------

variable "cluster" {
  description = <<-TEXT
    The cluster that runs Kargo.
    `server`, `ca_certificate`: URL and certificate authority (PEM) of its API server.
    `authentication`: `azure` (AKS with Entra ID: the app's identity) or `token` (any cluster: a ServiceAccount's token, see `cluster_token`).
    `authorization`: `kubernetes` (ClusterRole and bindings, made here with the kubernetes provider), `azure` (role assignments, for AKS with Azure RBAC for Kubernetes; needs `aks_id`) or `none` (you applied the manifests of `kubernetes/` yourself).
    `secret_namespaces`: namespaces whose Secrets the app may read, beside those of the `receivers` configured in the cluster. With none at all the app runs with `READ_SECRETS=false`.
    `promotions`: whether the app may refresh Promotions that wait for a pull request, for receivers of Git hosts. Kargo wants the right to `promote` on every Stage for that, which with `azure` is not known: apply `kubernetes/promotions` there.
    `service_account`: whose token it is, for `token` with `kubernetes`.
  TEXT
  type = object({
    server                     = string
    ca_certificate             = string
    authentication             = optional(string, "azure")
    authorization              = optional(string, "kubernetes")
    aks_id                     = optional(string)
    secret_namespaces          = optional(set(string), [])
    system_resources_namespace = optional(string, "kargo-system-resources")
    promotions                 = optional(bool, false)
    service_account = optional(object({
      namespace = optional(string, "kargo-receivers")
      name      = optional(string, "kargo-receivers")
    }), {})
  })

  validation {
    condition     = startswith(var.cluster.server, "https://")
    error_message = "cluster.server: must start with https://."
  }
  validation {
    condition     = strcontains(var.cluster.ca_certificate, "-----BEGIN CERTIFICATE-----")
    error_message = "cluster.ca_certificate: PEM text. From a kubeconfig: base64decode(certificate-authority-data)."
  }
  validation {
    condition     = !var.cluster.promotions || var.cluster.authorization == "kubernetes"
    error_message = "cluster.promotions: only with authorization = \"kubernetes\"; apply the manifests of kubernetes/promotions otherwise."
  }
  validation {
    condition     = contains(["azure", "token"], var.cluster.authentication)
    error_message = "cluster.authentication: azure or token."
  }
  validation {
    condition     = contains(["kubernetes", "azure", "none"], var.cluster.authorization)
    error_message = "cluster.authorization: kubernetes, azure or none."
  }
  validation {
    condition     = var.cluster.authorization != "azure" || (var.cluster.aks_id != null && var.cluster.authentication == "azure")
    error_message = "cluster.authorization = azure needs aks_id and authentication = azure."
  }
}

variable "cluster_token" {
  description = "The token for `cluster.authentication = \"token\"`. It goes into Key Vault and nowhere else: not into the state, not into a plan."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
}

variable "cluster_token_version" {
  description = "Raise it to have a new `cluster_token` written."
  type        = number
  default     = 1
}

# --- Receivers -------------------------------------------------------------------------------------------------------

variable "receivers" {
  description = <<-TEXT
    The receivers, by any key of your own.
    `provider`: one of the keys of `providers.json`. Those that are no key of Kargo's (`acr`, the same as `azure` under another path) only with `configured_in = "settings"`.
    `name`: the receiver's name, the key if not given. `project`: the Kargo project; not given, the receiver serves all projects.
    `registry`: host of the registry, for senders that do not name it: zot, Nexus, Alibaba's registry, and ACR's legacy `chart_push`.
    `options`: what else the provider takes, such as Artifactory's `virtualRepoName`, or a generic receiver's `actions` as JSON (`jsonencode([…])`).
    `configured_in`: `settings` (in this app's own settings) or `cluster` (in the ProjectConfig, or the ClusterConfig).
    `manage_in_cluster`: for `cluster`, create the Kubernetes Secret and the ProjectConfig or ClusterConfig too. Terraform then owns the whole list `webhookReceivers` of that object.
    `secret_name`: name of the Kubernetes Secret, `kargo-receivers-<name>` if not given.
    `generation`: which generated secret makes the URL. To rotate, in three applies, none of which loses a delivery: first `accept_next = true`, the app accepts the next secret too; then, in place of that, `generation` one higher and `accept_previous = true`, registries use the new URL; then neither, the old URL is dead.
  TEXT
  type = map(object({
    provider          = string
    name              = optional(string)
    project           = optional(string)
    registry          = optional(string)
    options           = optional(map(string), {})
    configured_in     = optional(string, "settings")
    manage_in_cluster = optional(bool, false)
    secret_name       = optional(string)
    generation        = optional(number, 1)
    accept_next       = optional(bool, false)
    accept_previous   = optional(bool, false)
  }))
  default = {}

  validation {
    condition     = alltrue([for receiver in values(var.receivers) : contains(keys(local.providers), receiver.provider)])
    error_message = "receivers: provider must be one of ${join(", ", keys(local.providers))}."
  }
  validation {
    condition     = alltrue([for receiver in values(var.receivers) : contains(["settings", "cluster"], receiver.configured_in)])
    error_message = "receivers: configured_in must be settings or cluster."
  }
  validation {
    condition     = alltrue([for receiver in values(var.receivers) : receiver.configured_in == "settings" || try(local.providers[receiver.provider].in_kargo, true)])
    error_message = "receivers: configured_in = cluster takes Kargo's own keys, ${join(", ", [for name, provider in local.providers : name if provider.in_kargo])}; use one of them, or configured_in = settings."
  }
  validation {
    condition = alltrue([
      for receiver in values(var.receivers) : alltrue([
        for option in try(local.providers[receiver.provider].requires, []) :
        try(length(merge({ registry = receiver.registry }, receiver.options)[option]) > 0, false)
      ])
    ])
    error_message = "receivers: ${join(", ", [for name, provider in local.providers : "${name} needs ${join(" and ", provider.requires)}" if length(provider.requires) > 0])}."
  }
  validation {
    condition     = alltrue([for receiver in values(var.receivers) : receiver.configured_in == "cluster" || !receiver.manage_in_cluster])
    error_message = "receivers: manage_in_cluster goes with configured_in = cluster."
  }
  validation {
    condition     = alltrue([for key, receiver in var.receivers : can(regex("^[a-z0-9]([a-z0-9.-]{0,98}[a-z0-9])?$", coalesce(receiver.name, key)))])
    error_message = "receivers: a name has lower-case letters, digits, hyphens and dots, at most 100."
  }
  validation {
    condition     = alltrue([for key in keys(var.receivers) : can(regex("^[0-9a-zA-Z-]{1,60}$", key))])
    error_message = "receivers: a key has letters, digits and hyphens, at most 60: it names the secret in Key Vault."
  }
  validation {
    condition = alltrue([
      for key, receiver in var.receivers : !receiver.accept_previous || contains(nonsensitive(keys(var.previous_receiver_secrets)), key) ||
      (receiver.generation > 1 && !contains(nonsensitive(keys(var.receiver_secrets)), key))
    ])
    error_message = "receivers: accept_previous needs a generation above 1; with a secret of your own, the one before it in previous_receiver_secrets."
  }
  validation {
    condition = alltrue([
      for key, receiver in var.receivers : !receiver.accept_next || contains(nonsensitive(keys(var.next_receiver_secrets)), key) || !contains(nonsensitive(keys(var.receiver_secrets)), key)
    ])
    error_message = "receivers: accept_next with a secret of your own needs the one after it in next_receiver_secrets."
  }
  validation {
    condition = length(setsubtract(
      nonsensitive(concat(keys(var.receiver_secrets), keys(var.previous_receiver_secrets), keys(var.next_receiver_secrets))), keys(var.receivers)
    )) == 0
    error_message = "receivers: a secret of your own is for none of them; the one that it is meant for would get a generated secret."
  }
  validation {
    condition     = alltrue([for receiver in values(var.receivers) : !(receiver.accept_next && receiver.accept_previous)])
    error_message = "receivers: accept_next and accept_previous are steps of a rotation, one after the other."
  }
  validation {
    condition     = alltrue([for receiver in values(var.receivers) : receiver.generation >= 1 && floor(receiver.generation) == receiver.generation])
    error_message = "receivers: generation is a whole number, 1 or more."
  }
  validation {
    condition = length(var.receivers) == length(distinct([
      for key, receiver in var.receivers : "${receiver.provider}/${receiver.project == null ? "" : receiver.project}/${coalesce(receiver.name, key)}"
    ]))
    error_message = "receivers: two of them have the same provider, project and name."
  }
}

variable "receiver_secrets" {
  description = "Secrets of your own, by key of `receivers`. A receiver without one gets a generated secret of 256 bits. Whoever can guess the secret has the URL: use long random ones."
  type        = map(string)
  default     = {}
  sensitive   = true

  validation {
    condition     = alltrue([for secret in values(var.receiver_secrets) : try(length(secret), 0) >= 16])
    error_message = "receiver_secrets: at least 16 characters, since the URL made from it is a credential."
  }
}

variable "previous_receiver_secrets" {
  description = "For receivers with a secret of your own and `accept_previous`: the secret before. Leave out what you do not know: an empty one would make a URL that anybody can compute."
  type        = map(string)
  default     = {}
  sensitive   = true

  validation {
    condition     = alltrue([for secret in values(var.previous_receiver_secrets) : try(length(secret), 0) >= 16])
    error_message = "previous_receiver_secrets: at least 16 characters, since the URL made from it is accepted too."
  }
}

variable "next_receiver_secrets" {
  description = "For receivers with a secret of your own and `accept_next`: the secret after it."
  type        = map(string)
  default     = {}
  sensitive   = true

  validation {
    condition     = alltrue([for secret in values(var.next_receiver_secrets) : try(length(secret), 0) >= 16])
    error_message = "next_receiver_secrets: at least 16 characters, since the URL made from it is accepted too."
  }
}

variable "grant_vault_access_to_deployer" {
  description = "Whether to give the identity that runs Terraform the right to write secrets into the vault. `false` if it has it from a scope above."
  type        = bool
  default     = true
}

# --- Registries ------------------------------------------------------------------------------------------------------

variable "registries" {
  description = <<-TEXT
    Azure container registries that shall tell of pushes, by name.
    `webhooks`: ACR webhooks by name. Each posts to the URL of one of `receivers`; `scope` is empty (all), `repository`, `repository:*` or `repository:tag`. One with an empty scope beats one for each repository: the tier limits their number.
    `existing_webhooks`: how many the registry has that are not managed here.
    `event_grid`: delivery through Event Grid, which, unlike a webhook, tries again for a day. The app must run when it is created (see `package`).
    `event_grid.system_topic`: the registry's topic, if it has one already, since Azure allows one. `resource_group_name`: of the registry, if not given. `principal_id`: of the topic's system-assigned identity, which then may write what could not be delivered into a container; without it such events are dropped.
  TEXT
  type = map(object({
    resource_group_name = string
    location            = string
    sku                 = string
    existing_webhooks   = optional(number, 0)
    webhooks = optional(map(object({
      receiver       = string
      scope          = optional(string, "")
      actions        = optional(set(string), ["push"])
      custom_headers = optional(map(string), {})
      enabled        = optional(bool, true)
      location       = optional(string)
    })), {})
    event_grid = optional(object({
      receiver              = string
      schema                = optional(string, "EventGridSchema")
      event_types           = optional(list(string), ["Microsoft.ContainerRegistry.ImagePushed", "Microsoft.ContainerRegistry.ChartPushed"])
      subject_begins_with   = optional(string, "")
      max_delivery_attempts = optional(number, 30)
      time_to_live_minutes  = optional(number, 1440)
      system_topic = optional(object({
        name                = string
        resource_group_name = optional(string)
        principal_id        = optional(string)
      }))
    }))
  }))
  default = {}

  validation {
    condition     = alltrue([for registry in values(var.registries) : contains(["Basic", "Standard", "Premium"], registry.sku)])
    error_message = "registries: sku must be Basic, Standard or Premium."
  }
  validation {
    # https://learn.microsoft.com/azure/container-registry/container-registry-skus
    condition = alltrue([
      for registry in values(var.registries) :
      length(registry.webhooks) + registry.existing_webhooks <= lookup({ Basic = 2, Standard = 10, Premium = 500 }, registry.sku, 0)
    ])
    error_message = "registries: too many webhooks; Basic has 2, Standard 10, Premium 500. One webhook with an empty scope serves all repositories."
  }
  validation {
    condition     = alltrue(flatten([for registry in values(var.registries) : [for name in keys(registry.webhooks) : can(regex("^[a-zA-Z0-9]{5,50}$", name))]]))
    error_message = "registries: a webhook's name has 5 to 50 letters and digits."
  }
  validation {
    condition = alltrue(flatten([
      for registry in values(var.registries) : [
        for webhook in values(registry.webhooks) : length(setsubtract(webhook.actions, ["push", "delete", "quarantine", "chart_push", "chart_delete"])) == 0 && length(webhook.actions) > 0
      ]
    ]))
    error_message = "registries: actions are push, delete, quarantine, chart_push and chart_delete; at least one."
  }
  validation {
    condition = alltrue(flatten([
      for registry in values(var.registries) : [
        for receiver in concat(values(registry.webhooks)[*].receiver, registry.event_grid == null ? [] : [registry.event_grid.receiver]) :
        contains(keys(var.receivers), receiver) && contains(["azure", "acr"], try(var.receivers[receiver].provider, ""))
      ]
    ]))
    error_message = "registries: receiver must be a key of receivers whose provider is azure or acr."
  }
  validation {
    condition = alltrue([
      for registry in values(var.registries) : registry.event_grid == null ? true :
      contains(["EventGridSchema", "CloudEventSchemaV1_0"], registry.event_grid.schema) &&
      registry.event_grid.max_delivery_attempts >= 1 && registry.event_grid.max_delivery_attempts <= 30 &&
      registry.event_grid.time_to_live_minutes >= 1 && registry.event_grid.time_to_live_minutes <= 1440
    ])
    error_message = "registries: event_grid has schema EventGridSchema or CloudEventSchemaV1_0, 1 to 30 attempts, 1 to 1440 minutes."
  }
}

# --- What is kept ----------------------------------------------------------------------------------------------------

variable "journal" {
  description = <<-TEXT
    The journal of deliveries. `store`: `table` (in the app's storage account), `cosmos` (an Azure Cosmos DB account is made) or `none`. `days`: how long an entry is kept.
    `cosmos_database`, `cosmos_container`: names there.
  TEXT
  type = object({
    store            = optional(string, "table")
    days             = optional(number, 30)
    cosmos_database  = optional(string, "acr")
    cosmos_container = optional(string, "pushes")
  })
  default = {}

  validation {
    condition     = contains(["table", "cosmos", "none"], var.journal.store)
    error_message = "journal.store: table, cosmos or none."
  }
  validation {
    condition     = var.journal.days >= 1 && var.journal.days <= 3650
    error_message = "journal.days: 1 to 3650."
  }
}

variable "pages" {
  description = "Whether the pages (`/deliveries`, `/receivers`, `/queue`) can be visited, with the key of the output `pages_key`."
  type        = bool
  default     = true
}

variable "storage_replication" {
  description = "Replication of the storage account: `LRS`, `ZRS`, `GRS` or `GZRS`. What waits in the retry queue is there."
  type        = string
  default     = "ZRS"

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "GZRS"], var.storage_replication)
    error_message = "storage_replication: LRS, ZRS, GRS or GZRS."
  }
}

variable "telemetry" {
  description = "Log Analytics and Application Insights. `enabled = false`: neither. `retention_days`: 30 to 730. `daily_quota_gb`: a cap on what is taken in and paid for, -1 for none."
  type = object({
    enabled        = optional(bool, true)
    retention_days = optional(number, 30)
    daily_quota_gb = optional(number, 1)
  })
  default = {}

  validation {
    condition     = var.telemetry.retention_days >= 30 && var.telemetry.retention_days <= 730
    error_message = "telemetry.retention_days: 30 to 730."
  }
}

# --- Who is told -----------------------------------------------------------------------------------------------------

variable "alerts" {
  description = <<-TEXT
    Alerts, as soon as there is somebody to tell (docs/operations.md says what each means and what to do; docs/costs.md what they cost).
    `email_addresses`: an action group is made of them. `action_group_ids`: action groups of your own.
    `probe`: whether `/readyz` is asked from outside every ten minutes; only while the app is reachable from the internet.
    `metrics`: also the two rules on metrics, which are there once a collector writes them into Application Insights.
    `disabled`: rules that are not wanted, of `poisoned`, `failed`, `unread`, `queued`, `waiting`, `refused`, `dropped`, `slow`, `silent`, `stale`, `acting`.
  TEXT
  type = object({
    email_addresses  = optional(set(string), [])
    action_group_ids = optional(set(string), [])
    probe            = optional(bool, true)
    metrics          = optional(bool, false)
    disabled         = optional(set(string), [])
  })
  default = {}

  validation {
    condition     = alltrue([for address in var.alerts.email_addresses : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "alerts.email_addresses: addresses such as kargo@example.com."
  }
  validation {
    condition     = length(setsubtract(var.alerts.disabled, ["poisoned", "failed", "unread", "queued", "waiting", "refused", "dropped", "slow", "silent", "stale", "acting"])) == 0
    error_message = "alerts.disabled: there is no such rule."
  }
  validation {
    condition     = var.telemetry.enabled || length(var.alerts.email_addresses) + length(var.alerts.action_group_ids) == 0
    error_message = "alerts: the rules ask the log, which needs telemetry.enabled."
  }
}
