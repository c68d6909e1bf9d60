namespace Dataplane.Routing;

/// <summary>Finds the interface of a port and VLAN in one or two array loads. Immutable.</summary>
internal sealed class InterfaceMap
{
    private const int VlanCount = 4096;

    private readonly short[] _untagged;
    private readonly short[]?[] _tagged;

    public InterfaceMap(IReadOnlyList<L3Interface> interfaces)
    {
        int ports = interfaces.Count == 0 ? 0 : interfaces.Max(entry => entry.Port) + 1;
        _untagged = new short[ports];
        _tagged = new short[]?[ports];
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
    public int Find(ushort port, ushort vlan)
    {
        if (port >= _untagged.Length)
        {
            return -1;
        }

        if (vlan == 0)
        {
            return _untagged[port];
        }

        short[]? vlans = _tagged[port];
        return vlans is null ? -1 : vlans[vlan & (VlanCount - 1)];
    }
}
