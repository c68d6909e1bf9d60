using Dataplane.Mesh.Kubernetes;

namespace Dataplane.Mesh.Compose;

/// <summary>What a compose file says of services. Immutable.</summary>
/// <param name="Project">Name of the project.</param>
/// <param name="Services">The services, in the order of the file.</param>
/// <param name="Problems">What was left out, and why.</param>
internal sealed record ComposeDefinition(string Project, IReadOnlyList<ComposeService> Services, IReadOnlyList<string> Problems)
{
    /// <summary>Reads a file's text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="path">Path of the file, for messages and for the name of the project.</param>
    /// <param name="project">Name of the project; empty: what the file says, or the name of its directory.</param>
    /// <exception cref="InvalidDataException">It is no compose file.</exception>
    public static ComposeDefinition Read(string text, string path, string project)
    {
        ObjectNode root = ObjectNode.ParseYaml(text, Path.GetFileName(path));
        if (!root.Has("services"))
        {
            throw new InvalidDataException($"{Path.GetFileName(path)}: has no services: it is no compose file");
        }

        string directory = Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(path))) ?? "";
        string name = ComposeLayout.ProjectName(new[] { project, root.Text("name"), directory }.First(given => given.Length > 0 || given == directory));
        var reader = new ComposeServiceReader(name, root["networks"], Path.GetFileName(path));
        ComposeService[] services = [.. root["services"].Members().Select(member => reader.Read(member.Key, member.Value))];
        return new ComposeDefinition(name, services, reader.Problems);
    }
}
