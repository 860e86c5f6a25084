output "name" {
  description = "Name of the Function App."
  value       = azapi_resource.site.name
}

output "site_id" {
  description = "Resource id of the Function App, for what you add to it: a custom domain, a private endpoint, a lock."
  value       = azapi_resource.site.id
}

output "default_host_name" {
  description = "The host that Azure gave the app; what a custom domain's CNAME points to."
  value       = terraform_data.default_host_name.output
}

output "workspace_id" {
  description = "Resource id of the Log Analytics workspace; null without telemetry."
  value       = var.telemetry.enabled ? local.workspace_id : null
}

output "application_insights_id" {
  description = "Resource id of Application Insights, which has the log; null without telemetry."
  value       = one(azurerm_application_insights.this[*].id)
}

output "resource_group_name" {
  description = "Its resource group."
  value       = var.resource_group_name
}

output "base_url" {
  description = "What Kargo's `EXTERNAL_WEBHOOK_SERVER_BASE_URL` shall be."
  value       = local.base_url
}

output "receiver_urls" {
  description = "URL of each receiver, by key of `receivers`. Each is a credential."
  value       = local.receiver_url
  sensitive   = true
}

output "pages_key" {
  description = "What a visitor of the pages must know; null without pages."
  value       = one(random_password.pages_key[*].result)
  sensitive   = true
}

output "identity" {
  description = "The app's identity: `client_id`, and `principal_id`, its name in an AKS cluster."
  value = {
    id           = azurerm_user_assigned_identity.this.id
    client_id    = azurerm_user_assigned_identity.this.client_id
    principal_id = azurerm_user_assigned_identity.this.principal_id
  }
}

output "key_vault_id" {
  description = "Resource id of the vault that holds the secrets."
  value       = local.key_vault_id
}

output "storage_account_id" {
  description = "Resource id of the storage account."
  value       = local.storage.id
}

output "key_vault_name" {
  description = "Name of the vault that holds the secrets."
  value       = reverse(split("/", local.key_vault_id))[0]
}

output "storage_account_name" {
  description = "Name of the storage account with retry queue and journal."
  value       = local.storage.name
}

output "deploy" {
  description = "The command that deploys the package; null if Terraform does (`package`)."
  value       = var.package == null ? "make deploy APP=${var.name} RG=${var.resource_group_name} SUBSCRIPTION=${data.azurerm_client_config.current.subscription_id}" : null
}
