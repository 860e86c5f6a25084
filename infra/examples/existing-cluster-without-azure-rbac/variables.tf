variable "subscription_id" {
  description = "Subscription for the app."
  type        = string
}

variable "name" {
  description = "Name of the Function App and of its resource group; unique in all of Azure."
  type        = string
}

variable "location" {
  description = "Azure region with Flex Consumption."
  type        = string
}

variable "cluster" {
  description = "The cluster that runs Kargo: URL of its API server and its certificate authority (PEM)."
  type = object({
    server         = string
    ca_certificate = string
  })
}

variable "cluster_token" {
  description = "Token of the ServiceAccount; best given as TF_VAR_cluster_token."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "cluster_token_version" {
  description = "Raise it to have a new token written."
  type        = number
  default     = 1
}

variable "kubeconfig" {
  description = "Path of the kubeconfig."
  type        = string
  default     = "~/.kube/config"
}

variable "project" {
  description = "The Kargo project whose Warehouses shall be refreshed."
  type        = string
}
