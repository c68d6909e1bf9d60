using Dataplane.Filtering;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>Reads the values that configurations write as text; what cannot be read becomes an error, not an exception.</summary>
internal static class TextReading
{
    public static IpAddress Address(string? text, string path, List<ConfigurationError> errors)
    {
        if (!IpAddress.TryParse(text, out IpAddress address))
        {
            errors.Add(new ConfigurationError(path, "is not an IPv4 or IPv6 address such as 198.51.100.1 or 2001:db8::1", text));
        }

        return address;
    }

    public static IpPrefix Prefix(string? text, string path, List<ConfigurationError> errors)
    {
        if (!IpPrefix.TryParse(text, out IpPrefix prefix))
        {
            errors.Add(new ConfigurationError(path, "is not a prefix such as 198.51.100.0/24 or 2001:db8::/32", text));
        }

        return prefix;
    }

    public static MacAddress Mac(string? text, string path, List<ConfigurationError> errors)
    {
        if (!MacAddress.TryParse(text, out MacAddress mac))
        {
            errors.Add(new ConfigurationError(path, "is not a hardware address such as 02:00:00:00:00:01", text));
        }

        return mac;
    }

    public static PortRange Ports(string? text, string path, List<ConfigurationError> errors)
    {
        if (!PortRange.TryParse(text, out PortRange range))
        {
            errors.Add(new ConfigurationError(path, "is not a port from 0 to 65535 or a range such as 8000-8080", text));
        }

        return range;
    }
}
