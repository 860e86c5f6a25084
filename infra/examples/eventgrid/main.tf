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
    "Microsoft.EventGrid",
    "Microsoft.ContainerRegistry",
  ]

  features {
    key_vault {
      purge_soft_delete_on_destroy = false # the vault is protected against that
    }
  }
}

# Whoever runs Terraform signs in to the cluster as with kubectl: `az login`, and kubelogin on the PATH.
provider "kubernetes" {
  host                   = var.cluster.server
  cluster_ca_certificate = var.cluster.ca_certificate

  exec {
    api_version = "client.authentication.k8s.io/v1beta1"
    command     = "kubelogin"
    args        = ["get-token", "--login", "azurecli", "--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630"]
  }
}

resource "azurerm_resource_group" "this" {
  name     = var.name
  location = var.location
}

# Pushes come through Event Grid, which tries for a day, and keeps in a container what it could not deliver. The receiver stands
# in the project's ProjectConfig, made here with its Secret. Event Grid wants an answer from the app while it is registered, so the
# package is deployed in the same apply: run `make package` first.
module "kargo_receivers" {
  source = "../.."

  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  cluster             = var.cluster
  package             = var.package

  receivers = {
    acr = { provider = "azure", project = var.project, configured_in = "cluster", manage_in_cluster = true }
  }

  registries = {
    (var.registry.name) = {
      resource_group_name = var.registry.resource_group_name
      location            = var.registry.location
      sku                 = var.registry.sku
      event_grid          = { receiver = "acr" }
    }
  }

  # Event Grid posts; you see the pages, and the machine that runs Terraform asks whether the app is ready.
  allowed_service_tags = ["AzureEventGrid"]
  allowed_ip_ranges    = var.administrator_ip_ranges
}
