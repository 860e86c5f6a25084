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
  ]

  features {
    key_vault {
      purge_soft_delete_on_destroy = false # the vault is protected against that
    }
  }
}

# Whoever runs Terraform signs in to the cluster with the current context of this kubeconfig.
provider "kubernetes" {
  config_path = var.kubeconfig
}

resource "azurerm_resource_group" "this" {
  name     = var.name
  location = var.location
}

# A cluster that does not know Azure identities: EKS, GKE, k3s, or AKS with local accounts. The app uses the token of a
# ServiceAccount, which goes into Key Vault and into no state and no plan.
module "kargo_receivers" {
  source = "../.."

  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location

  cluster       = merge(var.cluster, { authentication = "token" })
  cluster_token = var.cluster_token

  cluster_token_version = var.cluster_token_version

  receivers = {
    quay = { provider = "quay", project = var.project }
    hub  = { provider = "dockerhub", project = var.project, configured_in = "cluster", manage_in_cluster = true }
  }
}
