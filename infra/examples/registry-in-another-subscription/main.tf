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

# The registry's subscription.
provider "azurerm" {
  alias           = "registry"
  subscription_id = var.registry.subscription_id

  resource_providers_to_register = ["Microsoft.ContainerRegistry", "Microsoft.EventGrid"]

  features {}
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

# One receiver for one project, in the app's own settings. The module registers nothing, as it works in one subscription.
module "kargo_receivers" {
  source = "../.."

  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  cluster             = var.cluster
  package             = var.package

  receivers = {
    acr = { provider = "azure", project = var.project }
  }
}

# Azure has one system topic for each registry: use the one that exists, if there is one, by `data`.
resource "azurerm_eventgrid_system_topic" "registry" {
  provider = azurerm.registry

  name                = "${var.registry.name}-pushes"
  resource_group_name = var.registry.resource_group_name
  location            = var.registry.location
  topic_type          = "Microsoft.ContainerRegistry.Registries"
  source_resource_id  = "/subscriptions/${var.registry.subscription_id}/resourceGroups/${var.registry.resource_group_name}/providers/Microsoft.ContainerRegistry/registries/${var.registry.name}"
}

# Azure calls the app while it creates this: everything of the module is there before, the package deployed.
resource "azurerm_eventgrid_system_topic_event_subscription" "registry" {
  provider = azurerm.registry

  name                  = var.name
  resource_group_name   = var.registry.resource_group_name
  system_topic          = azurerm_eventgrid_system_topic.registry.name
  event_delivery_schema = "EventGridSchema"
  included_event_types  = ["Microsoft.ContainerRegistry.ImagePushed", "Microsoft.ContainerRegistry.ChartPushed"]

  webhook_endpoint {
    url = module.kargo_receivers.receiver_urls["acr"]
  }
  retry_policy {
    max_delivery_attempts = 30
    event_time_to_live    = 1440
  }

  depends_on = [module.kargo_receivers]
}
