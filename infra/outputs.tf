output "name" {
  description = "Name of the Function App."
  value       = azurerm_function_app_flex_consumption.this.name
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

output "key_vault_name" {
  description = "Name of the vault that holds the secrets."
  value       = azurerm_key_vault.this.name
}

output "storage_account_name" {
  description = "Name of the storage account with retry queue and journal."
  value       = azurerm_storage_account.this.name
}

output "deploy" {
  description = "The command that deploys the package."
  value       = "make deploy APP=${var.name} RG=${var.resource_group_name}"
}
