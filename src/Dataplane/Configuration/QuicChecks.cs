using System.Globalization;
using Dataplane.Balancing;
using Dataplane.Balancing.ConnectionIds;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>The rules for connection IDs of QUIC, and for the server IDs in them.</summary>
internal static class QuicChecks
{
    public static void Check(Checks checks, ServiceSpec service, string path)
    {
        if (service.Quic is { } quic)
        {
            CheckFormat(checks, service, quic, $"{path}.quic");
        }

        var seen = new Dictionary<ServerKey, string>();
        for (int index = 0; index < (service.Backends?.Count ?? 0); index++)
        {
            // That none is null is said elsewhere.
            if (service.Backends![index] is { } backend)
            {
                CheckServerIds(checks, service.Quic, backend, $"{ConfigPath.Index($"{path}.backends", index)}.server_id", seen);
            }
        }
    }

    private static void CheckFormat(Checks checks, ServiceSpec service, QuicSpec quic, string path)
    {
        if (service.Protocol is not IpProtocols.Udp)
        {
            checks.Error(path, "is for protocol: udp, which QUIC is carried by");
        }

        checks.Known($"{path}.connection_ids", quic.ConnectionIds, SpecNames.ConnectionIdFormats);
        bool hasConfigs = quic.Configs is { Count: > 0 };
        if (hasConfigs != (quic.ConnectionIds == ConnectionIdFormat.QuicLb) && SpecNames.ConnectionIdFormats.NameOf(quic.ConnectionIds) is not null)
        {
            checks.Error($"{path}.configs", hasConfigs
                ? "are for connection_ids: quic_lb; those of katran say of themselves how they are to be read; remove it"
                : "is missing: without a configuration no connection ID of quic_lb says anything");
        }

        var numbers = new Dictionary<int, string>();
        foreach ((QuicLbSpec config, string at, _) in checks.Each(quic.Configs, $"{path}.configs"))
        {
            CheckConfig(checks, config, at);
            if (!numbers.TryAdd(config.Id, at))
            {
                checks.Error($"{at}.id", $"is that of {numbers[config.Id]} already", config.Id.ToString(CultureInfo.InvariantCulture));
            }
        }
    }

    private static void CheckConfig(Checks checks, QuicLbSpec config, string path)
    {
        checks.Range($"{path}.id", config.Id, SpecLimits.QuicConfig);
        checks.Range($"{path}.server_id_length", config.ServerIdBytes, SpecLimits.ServerIdBytes);
        checks.Range($"{path}.nonce_length", config.NonceBytes, SpecLimits.NonceBytes);
        if (SpecLimits.ServerIdBytes.Contains(config.ServerIdBytes) && SpecLimits.NonceBytes.Contains(config.NonceBytes)
            && config.ServerIdBytes + config.NonceBytes > SpecLimits.MaxServerIdAndNonceBytes)
        {
            checks.Error($"{path}.nonce_length", string.Create(CultureInfo.InvariantCulture,
                $"is {config.ServerIdBytes + config.NonceBytes} bytes with server_id_length; connection IDs have room for {SpecLimits.MaxServerIdAndNonceBytes}"),
                config.NonceBytes.ToString(CultureInfo.InvariantCulture));
        }

        // A key is a secret: messages go to logs.
        if (config.Key is { } key && (key.Length != 2 * AesBlock.KeyBytes || !key.All(char.IsAsciiHexDigit)))
        {
            checks.Error($"{path}.key", string.Create(CultureInfo.InvariantCulture, $"is not a key of {AesBlock.KeyBytes} bytes: {2 * AesBlock.KeyBytes} hexadecimal digits are needed"));
        }
    }

    private static void CheckServerIds(Checks checks, QuicSpec? quic, BackendSpec backend, string path, Dictionary<ServerKey, string> seen)
    {
        if (string.IsNullOrEmpty(backend.ServerIds))
        {
            return;
        }

        if (quic is null)
        {
            checks.Error(path, "is of use only to services with a quic section, which says how connection IDs hold it; add one or remove it", backend.ServerIds);
            return;
        }

        foreach (string text in ServerKey.Split(backend.ServerIds))
        {
            bool isKatran = quic.ConnectionIds == ConnectionIdFormat.Katran;
            if (!ServerKey.TryRead(text, quic.ConnectionIds, out ServerKey key))
            {
                checks.Error(path, isKatran ? "is not a number from 1 to 4294967295" : $"is not a server ID: hexadecimal digits are needed, two for each of 1 to {ServerKey.MaxBytes} bytes", text);
            }
            else if (!isKatran && quic.Configs is { Count: > 0 } configs && !configs.Any(config => config?.ServerIdBytes == key.LengthBytes))
            {
                checks.Error(path, string.Create(CultureInfo.InvariantCulture, $"has {key.LengthBytes} bytes, and no configuration of the service has server IDs of that length (server_id_length)"), text);
            }
            else if (!seen.TryAdd(key, path))
            {
                checks.Error(path, $"is that of {seen[key]} already", text);
            }
        }
    }
}
