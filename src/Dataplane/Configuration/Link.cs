namespace Dataplane.Configuration;

/// <summary>What shares one broadcast domain: a port and the VLAN on it, or a network.</summary>
/// <param name="Port">Name of the port or network.</param>
/// <param name="Vlan">VLAN identifier; 0: untagged.</param>
internal readonly record struct Link(string Port, int Vlan)
{
    private const int NetworkVlan = -1;

    /// <summary>The link that all endpoints of a network share.</summary>
    public static Link OfNetwork(string name) => new(name, NetworkVlan);

    /// <summary>Whether it is a network, and not a port.</summary>
    public bool IsNetwork => Vlan == NetworkVlan;

    public override string ToString() => IsNetwork ? $"network {Port}" : Vlan == 0 ? $"port {Port}" : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"port {Port}, VLAN {Vlan}");
}
