output "base_url" {
  description = "Where the app answers."
  value       = module.kargo_receivers.base_url
}

output "receiver_urls" {
  description = "URL of each receiver; show them with `terraform output -json receiver_urls`."
  value       = module.kargo_receivers.receiver_urls
  sensitive   = true
}

output "pages_key" {
  description = "What a visitor of the pages must know."
  value       = module.kargo_receivers.pages_key
  sensitive   = true
}

output "deploy" {
  description = "The command that deploys the package, in the root of the repository."
  value       = module.kargo_receivers.deploy
}
