using Dataplane.Ports;

namespace Dataplane.Filtering;

/// <summary>Gives ports numbers of one byte for the rules: there may be thousands of ports, but rules name few. Control side.</summary>
internal static class FilterPortNumbers
{
    /// <summary>The highest number a port that rules name can have; so many ports less one may be named.</summary>
    public const int Most = 254;

    private const byte Unnamed = 255;

    /// <summary>By identifier of a port: its number. As far as can be it is the identifier, so that rules stay as they are when other ports come and go.</summary>
    public static byte[] Of(FilterSpec filter, PortSet ports)
    {
        // For every identifier there can be: packets of a port that has just gone may still come from another worker.
        var numbers = new byte[PortId.MaxPorts];
        numbers.AsSpan().Fill(Unnamed);
        int[] named = [.. filter.Rules.Where(rule => rule.Port.Length > 0).Select(rule => ports.IdOf(rule.Port)).Distinct()];
        HashSet<int> taken = [.. named.Where(id => id <= Most)];
        int next = Most;
        foreach (int id in named.Order())
        {
            while (id > Most && !taken.Add(next))
            {
                next--;
            }

            numbers[id] = (byte)(id > Most ? next : id);
        }

        return numbers;
    }
}
