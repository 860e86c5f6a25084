terraform {
  required_version = ">= 1.11"

  required_providers {
    azapi = {
      source  = "azure/azapi"
      version = "~> 2.12"
    }
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = "~> 3.2"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.9"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.14"
    }
  }
}

provider "azapi" {
  subscription_id = var.subscription_id
}

provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true # the storage account has no keys

  # What a new subscription does not know yet. The provider registers nothing by itself, and needs the right to do so once; without
  # it, `az provider register --namespace …` by somebody who has it, and [] here.
  resource_providers_to_register = [
    "Microsoft.App",
    "Microsoft.Web",
    "Microsoft.Storage",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.OperationalInsights",
    "microsoft.insights",
    "Microsoft.ContainerRegistry",
  ]

  features {
    key_vault {
      purge_soft_delete_on_destroy = false # the vault is protected against that
    }
  }
}

# Rights come from Azure RBAC here: nothing is created in the cluster, so the machine that runs Terraform need not reach it.
provider "kubernetes" {}

resource "azurerm_resource_group" "this" {
  name     = var.name
  location = var.location
}

# The app gets a subnet in the network of the cluster. From there it finds the private API server through the private DNS zone
# that is linked to this network.
resource "azurerm_subnet" "app" {
  name                 = "kargo-receivers"
  resource_group_name  = var.virtual_network.resource_group_name
  virtual_network_name = var.virtual_network.name
  address_prefixes     = [var.virtual_network.address_prefix]

  service_endpoint {
    service = "Microsoft.KeyVault"
  }
  service_endpoint {
    service = "Microsoft.Storage"
  }

  delegation {
    name = "flex-consumption"
    service_delegation {
      name    = "Microsoft.App/environments"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

module "kargo_receivers" {
  source = "../.."

  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location

  cluster = merge(var.cluster, { authorization = "azure" })

  network = {
    subnet_id               = azurerm_subnet.app.id
    administrator_ip_ranges = var.administrator_ip_ranges
  }
  deployment_ip_ranges = [for address in var.administrator_ip_ranges : strcontains(address, "/") ? address : "${address}/32"]

  receivers = {
    acr = { provider = "azure", project = var.project }
  }

  registries = {
    (var.registry.name) = {
      resource_group_name = var.registry.resource_group_name
      location            = var.registry.location
      sku                 = var.registry.sku
      webhooks            = { kargo = { receiver = "acr" } }
    }
  }
}
