namespace Dataplane.Gateway.Cni;

/// <summary>What a runtime says by environment variables.</summary>
internal sealed record CniEnvironment(string Command, string ContainerId, string Namespace, string Interface, string Arguments)
{
    public static CniEnvironment Read(Func<string, string?> variable)
    {
        ArgumentNullException.ThrowIfNull(variable);
        return new CniEnvironment(variable("CNI_COMMAND") ?? "", variable("CNI_CONTAINERID") ?? "", variable("CNI_NETNS") ?? "", variable("CNI_IFNAME") ?? "", variable("CNI_ARGS") ?? "");
    }

    /// <summary>One of CNI_ARGS, such as <c>K8S_POD_NAME</c>; empty when it is not there.</summary>
    public string Argument(string name) => Arguments.Split(';').Select(pair => pair.Split('=', 2)).Where(pair => pair.Length == 2 && pair[0] == name).Select(pair => pair[1]).FirstOrDefault() ?? "";

    /// <exception cref="CniException">Something that the command needs is missing or wrong; the message names the variables.</exception>
    public void Demand(bool withNamespace)
    {
        (string Name, string Value)[] needed = [("CNI_CONTAINERID", ContainerId), ("CNI_IFNAME", Interface), ("CNI_NETNS", withNamespace ? Namespace : "not needed")];
        string[] missing = [.. needed.Where(variable => variable.Value.Length == 0).Select(variable => variable.Name)];
        if (missing.Length > 0)
        {
            throw new CniException(CniCode.InvalidEnvironment, $"required env variables [{string.Join(',', missing)}] missing");
        }

        if (!char.IsAsciiLetterOrDigit(ContainerId[0]) || !ContainerId.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '.' or '-'))
        {
            throw new CniException(CniCode.InvalidEnvironment, $"CNI_CONTAINERID \"{ContainerId}\" is not a letter or digit, followed by letters, digits, _, . or -");
        }

        if (Interface.Length > 15 || Interface is "." or ".." || Interface.Any(letter => letter is '/' or ':' || char.IsWhiteSpace(letter)))
        {
            throw new CniException(CniCode.InvalidEnvironment, $"CNI_IFNAME \"{Interface}\" cannot be the name of an interface");
        }
    }
}
