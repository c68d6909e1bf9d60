using System.Globalization;
using System.Text.Json;
using Dataplane.Mesh.Kubernetes;
using Dataplane.Packets;

namespace Dataplane.Mesh.Compose;

/// <summary>A replica of a service of a project that is up, as the project's state has it. Immutable.</summary>
/// <param name="Service">Its service.</param>
/// <param name="Name">Its name.</param>
/// <param name="ProcessId">The process that holds it; 0: none has been started.</param>
/// <param name="StartTicks">When that process started, so that another of the same number is told apart.</param>
/// <param name="IsByPodman">Whether podman runs it.</param>
/// <param name="Attachments">Its networks, in the order of its interfaces, with its addresses on each.</param>
internal sealed record ComposeReplica(string Service, string Name, int ProcessId, long StartTicks, bool IsByPodman, IReadOnlyList<(string Network, IReadOnlyList<IpAddress> Addresses)> Attachments)
{
    /// <summary>Reads the state of a project; an empty text is that of one that is not up.</summary>
    /// <exception cref="InvalidDataException">It is no such state.</exception>
    public static IReadOnlyList<ComposeReplica> ReadAll(string text)
    {
        if (text.Length == 0)
        {
            return [];
        }

        try
        {
            using var document = JsonDocument.Parse(text);
            return [.. new ObjectNode(document.RootElement).Items("replicas").Select(Read)];
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{ComposeLayout.StateFile}: {exception.Message}", exception);
        }
    }

    private static ComposeReplica Read(ObjectNode node) => new(
        node.Text("service"), node.Text("name"), (int)Number(node.Text("processId")), Number(node.Text("startTicks")), node.Text("byPodman") == "true",
        [.. node.Items("attachments").Select(attachment => (attachment.Text("network"), Addresses(attachment)))]);

    private static long Number(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;

    private static List<IpAddress> Addresses(ObjectNode attachment)
    {
        var addresses = new List<IpAddress>();
        foreach (ObjectNode item in attachment.Items("addresses"))
        {
            if (IpAddress.TryParse(item.Text().Split('/')[0], out IpAddress address))
            {
                addresses.Add(address);
            }
        }

        return addresses;
    }
}
