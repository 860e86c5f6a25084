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

variable "project" {
  description = "The Kargo project whose Warehouses shall be refreshed."
  type        = string
}

variable "registry" {
  description = "The Azure container registry, in another subscription."
  type = object({
    subscription_id     = string
    name                = string
    resource_group_name = string
    location            = string
  })
}

variable "package" {
  description = "The zip that `make package` built."
  type        = string
  default     = "../../../dist/kargo-receivers.zip"
}
