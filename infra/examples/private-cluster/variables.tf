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
  description = "The private AKS cluster, with Azure RBAC for Kubernetes: URL of its API server, certificate authority (PEM), resource id."
  type = object({
    server         = string
    ca_certificate = string
    aks_id         = string
  })
}

variable "virtual_network" {
  description = "The network to reach the cluster from, and a free range of at least /27 in it."
  type = object({
    resource_group_name = string
    name                = string
    address_prefix      = string
  })
}

variable "administrator_ip_ranges" {
  description = "Public addresses from which Terraform is run and the app is deployed."
  type        = set(string)
}

variable "project" {
  description = "The Kargo project whose Warehouses shall be refreshed."
  type        = string
}

variable "registry" {
  description = "The Azure container registry."
  type = object({
    name                = string
    resource_group_name = string
    location            = string
    sku                 = string
  })
}
