namespace Dataplane.Routing;

/// <summary>Finds the interface of a port and VLAN in one or two array loads. Immutable.</summary>
internal sealed class InterfaceMap
{
    private const int VlanCount = 4096;

    private readonly short[] _untagged = new short[256];
    private readonly short[]?[] _tagged = new short[]?[256];

    public InterfaceMap(IReadOnlyList<L3Interface> interfaces)
    {
        _untagged.AsSpan().Fill(-1);
        foreach (L3Interface entry in interfaces)
        {
            if (entry.Vlan == 0)
            {
                _untagged[entry.Port] = entry.Index;
                continue;
            }

            short[]? vlans = _tagged[entry.Port];
            if (vlans is null)
            {
                vlans = new short[VlanCount];
                vlans.AsSpan().Fill(-1);
                _tagged[entry.Port] = vlans;
            }

            vlans[entry.Vlan] = entry.Index;
        }
    }

    /// <summary>Index of the interface, or -1.</summary>
    public int Find(byte port, ushort vlan)
    {
        if (vlan == 0)
        {
            return _untagged[port];
        }

        short[]? vlans = _tagged[port];
        return vlans is null ? -1 : vlans[vlan & (VlanCount - 1)];
    }
}
