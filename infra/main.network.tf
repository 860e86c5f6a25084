# Private endpoints. https://learn.microsoft.com/azure/private-link/private-endpoint-overview#private-link-resource

locals {
  # What the app needs, by the part of it that the endpoint leads to. What is yours has endpoints of yours.
  private_links = var.private_endpoints == null ? {} : merge(
    var.existing.key_vault_id == null ? { vault = { resource = local.key_vault_id, part = "vault" } } : {},
    var.existing.storage_account_id == null ? { for part in ["blob", "queue", "table"] : part => { resource = local.storage.id, part = part } } : {},
    var.journal.store == "cosmos" ? { sql = { resource = azurerm_cosmosdb_account.journal[0].id, part = "Sql" } } : {},
  )
}

resource "azurerm_private_endpoint" "this" {
  for_each = local.private_links

  name                = "${var.name}-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.location
  subnet_id           = var.private_endpoints.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = each.value.resource
    subresource_names              = [each.value.part]
    is_manual_connection           = false
  }
  dynamic "private_dns_zone_group" {
    for_each = compact([lookup(var.private_endpoints.dns_zone_ids, each.key, "")])
    content {
      name                 = "default"
      private_dns_zone_ids = [private_dns_zone_group.value]
    }
  }

  lifecycle {
    ignore_changes = [private_dns_zone_group] # a policy may have added it
  }
}

# The way in, for a gateway in your network.
resource "azurerm_private_endpoint" "site" {
  count = var.private_endpoints == null ? 0 : 1

  name                = "${var.name}-site"
  resource_group_name = var.resource_group_name
  location            = var.location
  subnet_id           = var.private_endpoints.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "site"
    private_connection_resource_id = azapi_resource.site.id
    subresource_names              = ["sites"]
    is_manual_connection           = false
  }
  dynamic "private_dns_zone_group" {
    for_each = compact([lookup(var.private_endpoints.dns_zone_ids, "site", "")])
    content {
      name                 = "default"
      private_dns_zone_ids = [private_dns_zone_group.value]
    }
  }

  lifecycle {
    ignore_changes = [private_dns_zone_group]
  }
}
