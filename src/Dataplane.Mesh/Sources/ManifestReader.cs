using System.Globalization;
using Dataplane.Mesh.Kubernetes;
using Dataplane.Mesh.Services;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Dataplane.Mesh.Sources;

/// <summary>Reads Kubernetes manifests of any number of documents; what they mean is <see cref="ObjectReader"/>'s.</summary>
internal static class ManifestReader
{
    /// <summary>Reads a text.</summary>
    public static (IReadOnlyList<MeshServiceSpec> Services, IReadOnlyList<MeshEndpointSpec> Endpoints, IReadOnlyList<string> Problems) Read(string text, string file)
    {
        var reader = new ObjectReader(file);
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException exception)
        {
            return ([], [], [string.Create(CultureInfo.InvariantCulture, $"{file}:{exception.Start.Line}:{exception.Start.Column}: {exception.Message}")]);
        }

        foreach (YamlDocument document in stream.Documents)
        {
            reader.Read(new ObjectNode(document.RootNode));
        }

        return (reader.Services, reader.Endpoints, reader.Problems);
    }
}
