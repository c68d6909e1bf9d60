using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Dataplane.Gateway.Networks;
using Dataplane.Packets;

namespace Dataplane.Gateway.Compose;

/// <summary>What a project is to be, from its file and from what stands for its images.</summary>
internal static class ShapeReader
{
    /// <summary>The key under which a definition has networks, aliases and fixed addresses.</summary>
    public const string NetworksKey = "networks";

    private const char Separator = '\u001f';

    /// <summary>Reads the shape of a project.</summary>
    /// <param name="project">The file.</param>
    /// <param name="imageOf">What the image of a service is here, such that another text is another image, and what it runs where the file does not say.</param>
    public static ProjectShape Read(ComposeProject project, Func<ComposeService, (string Image, IReadOnlyList<string> Command)> imageOf) => new(project.Name)
    {
        Networks = [.. project.Networks.Where(network => !network.IsExternal).Select(network => new NetworkShape(network.Record.Name, JsonSerializer.Serialize(network.Record, NetworkJson.Default.NetworkRecord)))],
        Services = [.. project.Services.Select(service => service.Name)],
        Replicas = [.. from service in project.Services
                       from number in Enumerable.Range(1, service.Replicas)
                       select Read(project, service, number, imageOf(service))],
    };

    /// <summary>What a replica is called.</summary>
    public static string NameOf(ComposeProject project, ComposeService service, int number) =>
        string.Create(CultureInfo.InvariantCulture, $"{project.Name}-{service.Name}-{number}");

    /// <summary>The network of a service that has its default route and its published ports: the first that is not internal.</summary>
    public static ComposeAttachment? DefaultOf(ComposeProject project, ComposeService service) =>
        service.Attachments.FirstOrDefault(attachment => !NetworkOf(project, attachment).Internal);

    /// <summary>The network that an attachment names.</summary>
    public static NetworkRecord NetworkOf(ComposeProject project, ComposeAttachment attachment) => project.Networks.First(network => network.Key == attachment.Network).Record;

    private static ReplicaShape Read(ComposeProject project, ComposeService service, int number, (string Image, IReadOnlyList<string> Command) image) => new(service.Name, NameOf(project, service, number))
    {
        Definition = new Dictionary<string, string>
        {
            ["image"] = image.Image,
            ["command"] = string.Join(Separator, service.Command.Count > 0 ? service.Command : image.Command),
            ["entrypoint"] = service.EntryPointWords.ToString(CultureInfo.InvariantCulture),
            ["environment"] = Digest(service.Environment),
            ["working_dir"] = service.WorkingDirectory,
            ["hostname"] = service.HostName,
            [NetworksKey] = string.Join('\n', service.Attachments.Select(attachment => Describe(project, attachment, number))),
        },
        Networks = [.. service.Attachments.Select(attachment => NetworkOf(project, attachment).Name)],
        Claims = number > 1 ? [] : [.. service.Attachments.SelectMany(attachment => Claims(NetworkOf(project, attachment).Name, attachment))],
        Ports = DefaultOf(project, service) is null ? [] : service.Ports,
    };

    private static string Describe(ComposeProject project, ComposeAttachment attachment, int number)
    {
        IEnumerable<string> words = [NetworkOf(project, attachment).Name, string.Join(',', attachment.Aliases)];
        return string.Join(Separator, number > 1 ? words : words.Append(string.Join(',', attachment.Addresses)).Append(attachment.Mac ?? ""));
    }

    private static IEnumerable<AddressClaim> Claims(string network, ComposeAttachment attachment)
    {
        foreach (string text in attachment.Addresses)
        {
            yield return new AddressClaim(network, IpAddress.TryParse(text, out IpAddress address) ? address.ToString() : text);
        }

        if (attachment.Mac is { } mac)
        {
            yield return new AddressClaim(network, MacAddress.TryParse(mac, out MacAddress station) ? station.ToString() : mac);
        }
    }

    /// <summary>Values of the environment are often secrets: whether they are others can be told without keeping them.</summary>
    private static string Digest(IReadOnlyList<KeyValuePair<string, string>> environment) => environment.Count == 0 ? ""
        : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join(Separator, environment.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}={pair.Value}")))));
}
